import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { checkers } from "../servers/checkers.ts";
import { HOUSE } from "../support/system.ts";
import { isPinned, patience, readText, rooms, settings, version } from "./project.ts";
import { faultsOf, type Manifest } from "./schemas.ts";

const [kustomize, ...first] = checkers.kustomize.found() ?? [];
const [schemas] = checkers.kubernetes.found() ?? [];
const built = { skip: !kustomize && "neither kustomize nor kubectl is installed: npm run servers -- --install" };
const checked = { skip: (!kustomize || !schemas) && "the schemas of Kubernetes are not installed: npm run servers -- --install" };

/** What `kubectl apply -k k8s` would apply. */
const build = (root = "k8s"): Manifest[] => {
  const { status, stdout, stderr } = spawnSync(kustomize!, [...first, root], { cwd: HOUSE, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return parseAllDocuments(stdout).map((document) => document.toJS());
};

interface Pod {
  securityContext: Record<string, unknown>;
  containers: Container[];
  volumes: { name: string; emptyDir?: object }[];
  terminationGracePeriodSeconds: number;
  [key: string]: unknown;
}
interface Container {
  image: string;
  ports: { name: string; containerPort: number }[];
  env: { name: string; valueFrom: { fieldRef?: { fieldPath: string } } }[];
  envFrom: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  lifecycle?: { preStop: { sleep: { seconds: number } } };
  [key: string]: unknown;
}
interface Deployment {
  name: string;
  room: string;
  labels: Record<string, string>;
  matched: Record<string, string>;
  pod: Pod;
  node: Container;
}

const deployments = (manifests: Manifest[]): Deployment[] =>
  manifests
    .filter(({ kind }) => kind === "Deployment")
    .map(({ metadata, spec }) => {
      const { selector, template } = spec as {
        selector: { matchLabels: Record<string, string> };
        template: { metadata: { labels: Record<string, string> }; spec: Pod };
      };
      const { labels } = template.metadata;
      const room = labels["app.kubernetes.io/component"]!;
      return { name: metadata.name, room, labels, matched: selector.matchLabels, pod: template.spec, node: template.spec.containers[0]! };
    });
const named = (manifests: Manifest[], kind: string) => manifests.filter((manifest) => manifest.kind === kind);

test("every manifest is as Kubernetes has published that it must be", checked, () => {
  const manifests = build();
  assert.ok(manifests.length > rooms.length * 3);
  for (const manifest of manifests) assert.deepEqual(faultsOf(schemas!, manifest), [], `${manifest.kind} ${manifest.metadata.name}`);
});

test("a manifest with a word that Kubernetes does not know, or without one that it must have, is found", checked, () => {
  const [deployment] = named(build(), "Deployment");
  const spoilt = (spoil: (pod: Pod) => void) => {
    const copy = structuredClone(deployment!);
    spoil((copy.spec as { template: { spec: Pod } }).template.spec);
    return faultsOf(schemas!, copy).join();
  };
  assert.match(
    spoilt((pod) => {
      pod.containers[0]!.livenesProbe = {};
    }),
    /livenesProbe/,
  );
  assert.match(
    spoilt((pod) => {
      pod.terminationGracePeriodSeconds = "soon" as never;
    }),
    /integer/,
  );
  assert.match(
    spoilt((pod) => {
      pod.containers = undefined as never;
    }),
    /containers/,
  );
  assert.match(faultsOf(schemas!, { ...deployment!, kind: "Deplyment" }).join(), /there is no Deplyment/);
});

test("each room has a deployment, which runs it by its label", built, () => {
  const found = deployments(build());
  assert.deepEqual(found.map(({ room }) => room).sort(), rooms);
  for (const { name, room, labels, matched, node } of found) {
    assert.equal(name, `banyan-${room}`);
    assert.deepEqual(matched, labels, "it counts the pods of this room and no others");
    const byField = Object.fromEntries(node.env.map(({ name: variable, valueFrom }) => [variable, valueFrom.fieldRef?.fieldPath]));
    assert.equal(byField.ROOMS, "metadata.labels['app.kubernetes.io/component']");
    assert.equal(node.image, `banyan:${version}`);
    assert.ok(isPinned(node.image));
  }
});

test("every variable is a setting, and what is secret is in a secret that is not here", built, () => {
  const manifests = build();
  const [map] = named(manifests, "ConfigMap") as (Manifest & { data: Record<string, string> })[];
  assert.deepEqual(named(manifests, "Secret"), []);
  for (const { node, room } of deployments(manifests)) {
    const variables = [...node.env.map(({ name }) => name), ...Object.keys(map!.data)];
    assert.deepEqual(
      variables.filter((name) => !settings.has(name)),
      [],
      room,
    );
    assert.deepEqual(node.envFrom, [{ configMapRef: { name: map!.metadata.name } }, { secretRef: { name: "banyan-servers" } }]);
  }
  const knowing = (all: typeof manifests) =>
    deployments(all).flatMap(({ node, room }) => (node.env.some(({ name }) => name === "MASTER_KEY") ? [room] : []));
  assert.equal(knowing(manifests).length, deployments(manifests).length);
  assert.deepEqual(knowing(build("k8s.tls")), ["audit", "auth"], "a certificate says by itself which node it is");
  for (const name of ["TRANSPORTER", "MONGO_URL", "REDIS_URL", "MASTER_KEY"]) {
    assert.ok(!(name in map!.data));
    assert.match(readText("docs/scaling.md"), new RegExp(`--from-literal=${name}=`));
  }
});

test("with TLS a pod is what it is without, and is given what `npm run certs` makes for its room, and no other's", checked, () => {
  const [without, manifests] = [build(), build("k8s.tls")];
  for (const manifest of manifests) assert.deepEqual(faultsOf(schemas!, manifest), [], `${manifest.kind} ${manifest.metadata.name}`);
  assert.equal(manifests.length, without.length);
  for (const { node, pod, room } of deployments(manifests)) {
    const mounts = Object.fromEntries(
      (node.volumeMounts as { mountPath: string; subPath?: string; subPathExpr?: string }[]).map((mount) => [mount.mountPath, mount]),
    );
    const files = node.env.filter(({ name }) => name.endsWith("_FILE")) as unknown as { name: string; value: string }[];
    assert.deepEqual(
      files.map(({ name, value }) => [name, mounts[value]!.subPath ?? mounts[value]!.subPathExpr]),
      [
        ["TLS_CA_FILE", "ca.crt"],
        ["TLS_CERT_FILE", "$(ROOMS).crt"],
        ["TLS_KEY_FILE", "$(ROOMS).key"],
        ["NATS_NKEY_FILE", "$(ROOMS).seed"],
      ],
    );
    for (const { name } of files) assert.ok(settings.has(name), name);
    assert.equal(mounts["/tmp"]?.subPath, undefined, `${room} keeps what it had`);
    assert.deepEqual(pod.securityContext, {
      ...deployments(without).find((other) => other.room === room)!.pod.securityContext,
      fsGroup: 1000,
    });
  }
  assert.match(readText("docs/scaling.md"), /create secret generic banyan-certs /);
});

test("a pod may do nothing that a node does not need", built, () => {
  for (const { pod, node, room } of deployments(build())) {
    const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext as Record<string, unknown>;
    assert.deepEqual([runAsNonRoot, runAsUser, seccompProfile], [true, 1000, { type: "RuntimeDefault" }], room);
    assert.equal(pod.automountServiceAccountToken, false);
    assert.deepEqual(node.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    const { requests, limits } = node.resources as Record<string, Record<string, string>>;
    assert.deepEqual([Object.keys(requests!).sort(), Object.keys(limits!)], [["cpu", "memory"], ["memory"]]);
  }
});

test("a pod is asked on a port that the image opens, and is given the time to stop", built, () => {
  const open = /STATUS_PORT=(\d+)/.exec(readText("Dockerfile"))![1];
  const pages = readText("mixins/runtime/status.ts");
  for (const { pod, node, room } of deployments(build())) {
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      const { path, port } = (node[probe] as { httpGet: { path: string; port: string } }).httpGet;
      assert.equal(String(node.ports.find(({ name }) => name === port)?.containerPort), open, `${room} ${probe}`);
      assert.ok(pages.includes(`"${path}"`), path);
      assert.equal(path, probe === "readinessProbe" ? "/health/ready" : "/health/live");
    }
    const before = node.lifecycle?.preStop.sleep.seconds ?? 0;
    assert.ok(pod.terminationGracePeriodSeconds > before + patience, room);
    assert.equal(before > 0, room === "gateway", "who is sent requests goes on for a moment");
  }
});

test("each deployment grows by itself and is not drained at once", built, () => {
  const manifests = build();
  for (const { name, matched } of deployments(manifests)) {
    const [scaler] = named(manifests, "HorizontalPodAutoscaler").filter(({ metadata }) => metadata.name === name);
    assert.deepEqual((scaler!.spec as { scaleTargetRef: object }).scaleTargetRef, { apiVersion: "apps/v1", kind: "Deployment", name });
    const [budget] = named(manifests, "PodDisruptionBudget").filter(({ metadata }) => metadata.name === name);
    assert.deepEqual(budget!.spec, { maxUnavailable: 1, selector: { matchLabels: matched } });
  }
});

test("the way in leads to the gateway's pods and to nobody else's", built, () => {
  const manifests = build();
  const gateway = deployments(manifests).find(({ room }) => room === "gateway")!;
  const [service, ...others] = named(manifests, "Service");
  assert.deepEqual(others, []);
  const { selector, ports } = service!.spec as { selector: object; ports: { name: string; targetPort: string }[] };
  assert.deepEqual(selector, gateway.matched);
  assert.equal(gateway.node.ports.find(({ name }) => name === ports[0]!.targetPort)?.containerPort, 3000);
  const text = JSON.stringify(named(manifests, "Ingress")[0]!.spec);
  assert.ok(text.includes(`"service":{"name":"${service!.metadata.name}","port":{"name":"${ports[0]!.name}"}}`), text);
  const policies = named(manifests, "NetworkPolicy").map(({ spec }) => spec as { podSelector: { matchLabels: object }; ingress: unknown });
  assert.deepEqual(
    policies.map(({ podSelector }) => podSelector.matchLabels),
    [{ "app.kubernetes.io/name": "banyan" }, gateway.matched],
  );
});

test("every file of k8s is in use", () => {
  const files = new Set(globSync("k8s/**/*.yaml", { cwd: HOUSE }));
  const used = new Set(["k8s/kustomization.yaml"]);
  for (const path of used) {
    if (!path.endsWith("kustomization.yaml")) continue;
    const { resources = [], patches = [] } = parse(readText(path)) as { resources?: string[]; patches?: { path: string }[] };
    for (const name of [...resources, ...patches.map((patch) => patch.path)]) {
      const file = join(dirname(path), name);
      used.add(file.endsWith(".yaml") ? file : join(file, "kustomization.yaml"));
    }
  }
  assert.deepEqual([...used].sort(), [...files].sort());
});
