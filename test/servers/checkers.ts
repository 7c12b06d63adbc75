import { copyFileSync, existsSync, globSync } from "node:fs";
import { basename, join } from "node:path";
import { isProgram, onPath, type Recipe, run, SHELF, shelve } from "./recipe.ts";

const COMPOSE = "v2.16.2-1"; // as compose/go.mod has it
const KUBERNETES = "v1.36.3";
const KUSTOMIZE = "v5.7.1";

/** Builds a program of Go's module proxy into the folder. */
export const goInstall = async (program: string, folder: string): Promise<void> => {
  await run("go", ["install", program], { env: { GOBIN: folder, GOFLAGS: "" }, cwd: folder });
};

const shelved = (folder: string, program: string) => {
  const path = join(SHELF, folder, program);
  return isProgram(path) ? [path] : undefined;
};

/** Reads compose files with the library that `docker compose` reads them with: the published schema, and more. It needs no Docker. */
const compose: Recipe = {
  name: "compose",
  found: () => shelved(`compose-${COMPOSE}`, "compose"),
  needs: ["go"],
  install: () =>
    shelve(`compose-${COMPOSE}`, async (folder) => {
      await run("go", ["build", "-o", join(folder, "compose"), "."], { cwd: join(import.meta.dirname, "compose") });
    }),
};

/** Puts the manifests of a folder together as `kubectl apply -k` does. */
const kustomize: Recipe = {
  name: "kustomize",
  found() {
    const kubectl = onPath("kubectl");
    return shelved(`kustomize-${KUSTOMIZE}`, "kustomize")?.concat("build") ?? (kubectl ? [kubectl, "kustomize"] : undefined);
  },
  needs: ["go"],
  install: () => shelve(`kustomize-${KUSTOMIZE}`, (folder) => goInstall(`sigs.k8s.io/kustomize/kustomize/v5@${KUSTOMIZE}`, folder)),
};

/** The schemas that a Kubernetes of this version publishes of itself, a file per API group; "found" is their folder. */
const kubernetes: Recipe = {
  name: "kubernetes",
  found() {
    const folder = join(SHELF, `kubernetes-${KUBERNETES}`);
    return existsSync(folder) ? [folder] : undefined;
  },
  needs: ["go"],
  install: () =>
    shelve(`kubernetes-${KUBERNETES}`, async (folder) => {
      const { Dir } = JSON.parse(await run("go", ["mod", "download", "-json", `k8s.io/kubernetes@${KUBERNETES}`], { cwd: folder }));
      const files = globSync("api/openapi-spec/v3/*_openapi.json", { cwd: Dir });
      if (files.length === 0) throw new Error(`there are no schemas in ${Dir}`);
      for (const file of files) copyFileSync(join(Dir, file), join(folder, basename(file)));
    }),
};

/** What the deployment's files are checked with, where it can be had. */
export const checkers = { compose, kustomize, kubernetes } as const;
