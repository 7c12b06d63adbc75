// Shows /openapi.json, and lets its operations be tried. Everything is put in as text, never as HTML.

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const resolve = (api, part) =>
  part.$ref
    ? part.$ref
        .slice(2)
        .split("/")
        .reduce((at, name) => at[name], api)
    : part;

/** A schema in a few words: `string, ^\d+$`. */
const inWords = (schema) => {
  const type = schema.enum ? schema.enum.map((value) => JSON.stringify(value)).join(" | ") : [schema.type ?? "any"].flat().join(" or ");
  const limits = Object.entries(schema).filter(
    ([name]) => !["type", "enum", "properties", "items", "required", "description"].includes(name),
  );
  return [type, ...limits.map(([name, value]) => `${name} ${JSON.stringify(value)}`)].join(", ");
};

/** A body to start from, made from the schema. */
const example = (schema) => {
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return example(schema.anyOf[0]);
  switch ([schema.type].flat()[0]) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([name]) => schema.required?.includes(name))
          .map(([name, part]) => [name, example(part)]),
      );
    case "array":
      return schema.items ? [example(schema.items)] : [];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    default:
      return schema.pattern?.includes("\\d") ? "1" : "text";
  }
};

/** Of who has logged in on this page; it is kept nowhere else, and counts for some minutes. */
let token;
const form = document.querySelector("form");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const status = form.querySelector("[role=status]");
  const { email, password, code } = Object.fromEntries(new FormData(form));
  const answer = await fetch("/api/v1/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, password, ...(code && { code }) }),
  });
  const { accessToken, expiresIn, detail } = await answer.json();
  token = accessToken;
  status.textContent = answer.ok ? `You are in, for ${expiresIn / 60} minutes.` : detail;
});

const send = async (method, path, inputs, body, shown) => {
  let url = path;
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    if (input.value === "") continue;
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "header") headers[parameter.name] = input.value;
    else
      for (const value of parameter.schema.type === "array" ? input.value.split(",") : [input.value]) query.append(parameter.name, value);
  }
  if (body) headers["Content-Type"] = "application/json";
  shown.hidden = false;
  shown.textContent = "…";
  try {
    const answer = await fetch(query.size > 0 ? `${url}?${query}` : url, { method, headers, body: body?.value });
    const text = await answer.text();
    const pretty = answer.headers.get("content-type")?.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
    const told = ["etag", "location", "x-request-id", "retry-after"].filter((name) => answer.headers.has(name));
    shown.textContent = [
      `${answer.status} ${answer.statusText}`,
      ...told.map((name) => `${name}: ${answer.headers.get(name)}`),
      "",
      pretty,
    ].join("\n");
  } catch (error) {
    shown.textContent = `No answer: ${error.message}`;
  }
};

const operation = (api, path, method, { summary, parameters = [], requestBody, responses, "x-permission": permission }) => {
  const inputs = parameters.map((part) => {
    const parameter = resolve(api, part);
    return { parameter, input: element("input", { placeholder: parameter.required ? "required" : "", title: inWords(parameter.schema) }) };
  });
  const schema = requestBody?.content["application/json"].schema;
  const body = schema && element("textarea", { value: JSON.stringify(example(schema), null, 2), spellcheck: false });
  const shown = element("pre", { hidden: true });
  const good = Object.entries(responses).find(([status]) => status.startsWith("2"));
  const answer = good?.[1].content?.["application/json"].schema;
  return element(
    "details",
    {},
    element("summary", {}, element("span", { className: "method" }, method.toUpperCase()), element("code", {}, path), ` ${summary}`),
    ...(permission
      ? [element("p", { className: "faint" }, `Takes ${permission === "somebody" ? "a login" : `the permission ${permission}`}`)]
      : []),
    element(
      "div",
      {},
      ...inputs.map(({ parameter, input }) =>
        element(
          "label",
          {},
          element("span", {}, `${parameter.name} (${parameter.in}) `),
          input,
          element("span", {}, ` ${inWords(parameter.schema)}`),
        ),
      ),
    ),
    ...(body ? [element("p", {}, "Body"), body, element("details", {}, element("summary", {}, "Its schema"), json(schema))] : []),
    element("button", { onclick: () => send(method.toUpperCase(), path, inputs, body, shown) }, "Try it"),
    shown,
    ...(answer ? [element("details", {}, element("summary", {}, `Answer ${good[0]}`), json(answer))] : []),
  );
};

const json = (value) => element("pre", {}, JSON.stringify(value, null, 2));

const api = await (await fetch("/openapi.json")).json();
const all = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, about]) => ({ path, method, about })),
);
document
  .querySelector("main")
  .replaceChildren(
    ...api.tags.flatMap(({ name }) => [
      element("h2", { id: name }, name),
      ...all.filter(({ about }) => about.tags.includes(name)).map(({ path, method, about }) => operation(api, path, method, about)),
    ]),
  );
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
