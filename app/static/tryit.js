// The form that sends a request with the reader's own token, and shows what came back.
import { el, t } from "./dom.js";
import { example, resolve } from "./schema.js";

const KEPT = "sira-token";
const SHOWN_HEADERS = ["Location", "Retry-After", "Allow", "Idempotent-Replayed", "Content-Disposition"];
const MAX_SHOWN_CHARS = 100_000;

export const token = () => sessionStorage.getItem(KEPT) || "";

export function tokenField() {
  const input = el("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false" });
  input.value = token();
  input.addEventListener("input", () => sessionStorage.setItem(KEPT, input.value.trim()));
  const keep = el("form", { class: "token" }, el("label", { for: "token" }, t("Your token")), input,
    el("small", {}, t("It stays in this browser tab and is sent only to this server.")));
  keep.addEventListener("submit", (event) => event.preventDefault());
  return keep;
}

export function tryForm(spec, path, method, operation) {
  const parameters = (operation.parameters || []).map((parameter) => ({
    ...parameter,
    input: parameterInput(spec, parameter),
  }));
  const json = operation.requestBody?.content?.["application/json"];
  const body = json && el("textarea", { rows: 10, spellcheck: "false" });
  if (body) body.value = JSON.stringify(example(spec, json.schema), null, 2);
  const outcome = el("div", { class: "outcome", "aria-live": "polite" });
  const send = el("button", {}, t("Send"));
  const form = el("form", { class: "try" },
    parameters.map((parameter) => el("label", {}, parameter.name, parameter.input)),
    body && el("label", { class: "wide" }, t("Body"), body), send, outcome);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      await run(request(path, method, parameters, body?.value), outcome);
    } finally {
      send.disabled = false;
    }
  });
  return form;
}

function parameterInput(spec, parameter) {
  const schema = resolve(spec, parameter.schema);
  const values = schema.enum || schema.anyOf?.map((one) => one.enum).find(Boolean);
  const attributes = { required: parameter.in === "path", "aria-label": parameter.name };
  if (!values) return el("input", { ...attributes, placeholder: parameter.required ? "" : t("optional") });
  return el("select", attributes, el("option", { value: "" }, "–"), values.map((value) => el("option", {}, value)));
}

function request(path, method, parameters, body) {
  const headers = { "Accept-Language": document.documentElement.lang };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const query = new URLSearchParams();
  let url = path;
  for (const { name, in: place, input } of parameters) {
    if (place === "path") url = url.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value && place === "query") query.set(name, input.value);
    else if (input.value && place === "header") headers[name] = input.value;
  }
  if (body) headers["Content-Type"] = "application/json";
  return { url: url + (query.size ? `?${query}` : ""), method: method.toUpperCase(), headers, body };
}

async function run({ url, ...options }, outcome) {
  outcome.replaceChildren(el("pre", {}, el("code", {}, curl(url, options))));
  try {
    const answer = await fetch(url, options);
    outcome.append(heading(answer));
    const shown = outcome.appendChild(el("pre")).appendChild(el("code"));
    if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) await follow(answer, shown, outcome);
    else shown.textContent = await readable(answer);
  } catch (error) {
    outcome.append(el("p", { class: "status bad" }, `${t("The request did not get through:")} ${error.message}`));
  }
}

function heading(answer) {
  const told = SHOWN_HEADERS.filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`);
  return el("p", {}, el("span", { class: answer.ok ? "status" : "status bad" }, `${answer.status} ${answer.statusText}`),
    told.join(" · "));
}

async function readable(answer) {
  if (!/json|text/.test(answer.headers.get("Content-Type") || "")) {
    return `${answer.headers.get("Content-Type")}, ${(await answer.blob()).size} B`;
  }
  const text = await answer.text();
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, MAX_SHOWN_CHARS);
  } catch {
    return text.slice(0, MAX_SHOWN_CHARS);
  }
}

async function follow(answer, shown, outcome) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const stop = outcome.appendChild(el("button", { type: "button" }, t("Stop")));
  stop.addEventListener("click", () => reader.cancel());
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    shown.textContent = (shown.textContent + part.value).slice(-MAX_SHOWN_CHARS);
  }
  stop.remove();
}

function curl(url, { method, headers, body }) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const shown = Object.entries(headers).map(([name, value]) => (name === "Authorization" ? [name, "Bearer $TOKEN"] : [name, value]));
  return [
    `curl -X ${method} ${quoted(location.origin + url)}`,
    ...shown.map(([name, value]) => `  -H ${name === "Authorization" ? `"${name}: ${value}"` : quoted(`${name}: ${value}`)}`),
    ...(body ? [`  -d ${quoted(body)}`] : []),
  ].join(" \\\n");
}
