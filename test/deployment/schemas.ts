import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  spec?: unknown;
}

interface Schema {
  properties?: object;
  additionalProperties?: unknown;
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
}

/** What Kubernetes has published of an API group: a schema for each thing that it knows. */
const schemasOf = (folder: string, group: string, version: string): Record<string, Schema> => {
  const file = group === "" ? `api__${version}_openapi.json` : `apis__${group}__${version}_openapi.json`;
  const { components } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { components: { schemas: Record<string, Schema> } };
  for (const schema of Object.values(components.schemas)) {
    if (schema.properties && schema.additionalProperties === undefined) schema.additionalProperties = false; // a word that it does not know it would leave out, and say nothing
  }
  return components.schemas;
};

/** What is wrong with a manifest, by the schemas in the folder. */
export const faultsOf = (folder: string, manifest: Manifest): string[] => {
  const [first = "", second] = manifest.apiVersion.split("/");
  const [group, version] = second === undefined ? ["", first] : [first, second];
  const schemas = schemasOf(folder, group, version);
  const found = Object.entries(schemas).find(([, schema]) =>
    schema["x-kubernetes-group-version-kind"]?.some((known) => known.kind === manifest.kind && known.version === version),
  );
  if (!found) return [`there is no ${manifest.kind} in ${manifest.apiVersion}`];
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  ajv.addSchema({ components: { schemas } }, "kubernetes");
  const validate = ajv.compile({ $ref: `kubernetes#/components/schemas/${found[0]}` });
  if (validate(manifest)) return [];
  return validate.errors!.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
};
