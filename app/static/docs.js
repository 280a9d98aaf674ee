// Shows /api/openapi.json: by tag, each operation with its parameters, its body, its answers and a form to try it.
import { el, heading, t } from "./dom.js";
import { field, tree, typeName } from "./schema.js";
import { tokenField, tryForm } from "./tryit.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

function operations(spec) {
  return Object.entries(spec.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
}

function groups(spec) {
  const all = operations(spec);
  return (spec.tags || [])
    .map((tag) => ({ ...tag, entries: all.filter(({ operation }) => operation.tags?.includes(tag.name)) }))
    .filter((tag) => tag.entries.length);
}

const badge = (method) => el("span", { class: `method ${method}` }, method.toUpperCase());

function navigation({ description, name, entries }) {
  return [
    el("h2", { lang: "en" }, (description || name).split(":")[0]),
    el("ul", {}, entries.map(({ method, path, operation }) =>
      el("li", {}, el("a", { href: `#${operation.operationId}` }, badge(method), el("span", {}, path.replace("/api/", "")))))),
  ];
}

function operationCard(spec, { path, method, operation }) {
  const card = el("details", { class: "operation", id: operation.operationId },
    el("summary", {}, badge(method), el("code", {}, path), el("span", { class: "what" }, operation.summary || ""),
      !operation.security?.length && el("span", { class: "lock" }, t("no token needed"))));
  // the inside is made when it is first opened: there are many, and few are read
  card.addEventListener("toggle", () => {
    if (card.open && !card.querySelector(".inside")) card.append(inside(spec, path, method, operation));
  });
  return card;
}

function inside(spec, path, method, operation) {
  const parameters = operation.parameters || [];
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  return el("div", { class: "inside" },
    operation.description && el("p", {}, operation.description),
    parameters.length > 0 && [heading("Parameters"), el("ul", { class: "fields" }, parameters.map((parameter) =>
      field(spec, parameter.name, { description: parameter.description, ...parameter.schema }, parameter.required)))],
    body && [heading("Body"), tree(spec, body)],
    heading("Answers"), answers(spec, operation.responses),
    heading("Try it"), tryForm(spec, path, method, operation));
}

function answers(spec, responses) {
  return el("div", { class: "answers" }, Object.entries(responses).map(([status, { description, content = {} }]) => {
    const [type, media] = Object.entries(content)[0] || [];
    return el("details", {},
      el("summary", {}, el("span", { class: status < 400 ? "status" : "status bad" }, status), description),
      media && el("div", {}, el("code", {}, type), tree(spec, media.schema) || el("p", {}, typeName(spec, media.schema))));
  }));
}

function openFromAddress() {
  const card = location.hash && document.getElementById(location.hash.slice(1));
  if (card) {
    card.open = true;
    card.scrollIntoView();
  }
}

async function show() {
  const main = document.getElementById("main");
  const answer = await fetch("/api/openapi.json");
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const spec = await answer.json();
  const tags = groups(spec);
  document.getElementById("nav").append(...tags.flatMap(navigation));
  main.replaceChildren(
    el("header", {}, el("h1", {}, `${spec.info.title} API`), el("p", {}, `${spec.info.description} · v${spec.info.version}`)),
    tokenField(),
    ...tags.map((tag) => el("section", { class: "group", lang: "en" }, el("h2", {}, tag.description || tag.name),
      tag.entries.map((entry) => operationCard(spec, entry)))));
  addEventListener("hashchange", openFromAddress);
  openFromAddress();
}

show().catch((error) => {
  document.getElementById("main").replaceChildren(el("p", {}, `${t("The document could not be loaded.")} (${error.message})`));
});
