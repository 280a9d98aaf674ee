// Elements from names, attributes and children. Text only ever becomes text nodes, so nothing can be injected.

export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

const TURKISH = {
  "Parameters": "Parametreler", "Body": "Gövde", "Answers": "Yanıtlar", "Try it": "Deneyin", "Send": "Gönder",
  "Your token": "Erişim anahtarınız", "required": "zorunlu", "optional": "isteğe bağlı", "no token needed": "anahtar gerekmez",
  "It stays in this browser tab and is sent only to this server.": "Yalnızca bu sekmede durur ve yalnızca bu sunucuya gönderilir.",
  "Anything": "Herhangi bir değer", "one of": "şunlardan biri", "The document could not be loaded.": "Belge yüklenemedi.",
  "The request did not get through:": "İstek ulaşmadı:", "Stop": "Durdur", "characters": "karakter", "items": "öğe",
};
const turkish = document.documentElement.lang === "tr";

export const t = (text) => (turkish && TURKISH[text]) || text;

/** A heading in the reader's language, amid a document that is English (capitals differ: i is İ only in Turkish). */
export const heading = (text) => el("h3", { lang: document.documentElement.lang }, t(text));
