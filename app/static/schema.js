// JSON Schema for people: as a tree of fields, and as an example that can be sent.
import { el, t } from "./dom.js";

const DEPTH = 6;

export function resolve(spec, schema) {
  if (!schema || !schema.$ref) return schema || {};
  const target = schema.$ref.slice(2).split("/").reduce((at, key) => at?.[key], spec);
  return { ...target, ...schema, $ref: undefined };
}

function options(spec, schema) {
  return (schema.anyOf || schema.oneOf || []).map((one) => resolve(spec, one));
}

/** The schema without its "or null", resolved. */
function plain(spec, given) {
  const schema = resolve(spec, given);
  const real = options(spec, schema).filter((one) => one.type !== "null");
  return real.length === 1 ? { ...real[0], ...schema, anyOf: undefined, oneOf: undefined } : schema;
}

export function typeName(spec, given) {
  const schema = plain(spec, given);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${typeName(spec, schema.items)}]`;
  const some = options(spec, schema);
  if (some.length) return some.map((one) => typeName(spec, one)).join(" | ");
  return [schema.type, schema.format].filter(Boolean).join(" · ") || t("Anything");
}

function limits(schema) {
  const range = (low, high, what) =>
    low == null && high == null ? null : `${low ?? 0}–${high ?? "…"}${what ? ` ${what}` : ""}`;
  return [
    range(schema.minimum, schema.maximum),
    range(schema.minLength, schema.maxLength, t("characters")),
    range(schema.minItems, schema.maxItems, t("items")),
    schema.default != null && schema.default !== "" ? `= ${JSON.stringify(schema.default)}` : null,
  ].filter(Boolean).join(", ");
}

export function field(spec, name, given, required, depth = 0) {
  const schema = plain(spec, given);
  const note = [given.description || schema.description, limits(schema)].filter(Boolean).join(" · ");
  return el("li", {},
    el("span", { class: "name" }, name),
    el("span", { class: "type" }, typeName(spec, given)),
    required && el("span", { class: "must" }, t("required")),
    note && el("span", { class: "note" }, note),
    depth < DEPTH && tree(spec, schema.type === "array" ? schema.items : schema, depth + 1));
}

/** The fields of an object schema, or null for anything else. */
export function tree(spec, given, depth = 0) {
  const schema = plain(spec, given);
  if (!schema.properties) return null;
  const required = new Set(schema.required || []);
  return el("ul", { class: "fields" },
    Object.entries(schema.properties).map(([name, part]) => field(spec, name, part, required.has(name), depth)));
}

const SAMPLES = { date: "2025-12-31", "date-time": "2025-12-31T09:00:00Z", email: "muhasebe@ornek.com.tr" };

export function example(spec, given, depth = 0) {
  const schema = plain(spec, given);
  const told = schema.example ?? schema.examples?.[0];
  if (told !== undefined) return told;
  if (schema.default != null && schema.default !== "") return schema.default;
  if (schema.enum) return schema.enum[0];
  const some = options(spec, schema);
  if (some.length) return example(spec, some[0], depth);
  if (schema.type === "array") return depth < DEPTH ? [example(spec, schema.items, depth + 1)] : [];
  if (schema.type === "integer" || schema.type === "number") return Math.max(1, schema.minimum ?? 1);
  if (schema.type === "boolean") return false;
  if (schema.properties) {
    const wanted = new Set(schema.required || []);
    return Object.fromEntries(Object.entries(schema.properties)
      .filter(([name]) => wanted.has(name)).map(([name, part]) => [name, example(spec, part, depth + 1)]));
  }
  return schema.type === "string" ? SAMPLES[schema.format] ?? "…" : {};
}
