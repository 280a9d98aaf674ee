// What of axios the polling example needs, with the token where `axios.defaults.headers.common` has it.
const asked = async (method, path, body) => {
  const headers = { Authorization: `Bearer ${process.env.TOKEN}`, "Content-Type": "application/json" };
  const answer = await fetch(process.env.SIRA + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return { data: await answer.json() };
};
globalThis.axios = { get: path => asked("GET", path), post: (path, body) => asked("POST", path, body) };
