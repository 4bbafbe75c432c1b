import { basename, join } from "node:path";
import { stringify } from "yaml";
import { EXIT, usageError } from "../../lib/errors.ts";
import { shellCommand } from "../../lib/shell-words.ts";
import { kubernetesText } from "../../training/launch/kubernetes.ts";
import type { LaunchFile, StartCommand } from "../../training/launch/launch-plan.ts";
import type { CollectLaunch } from "./collect-launch.ts";
import { collectScripts } from "./collect-scripts.ts";

/** Where pods find the program and the files. */
export interface PodShape {
  /** An image that has `pairwright` on its PATH. */
  container: string;
  /** A persistent volume claim that many pods may write to. */
  claim: string;
  /** The folder that it is, on this machine and in every pod. */
  mount: string;
  /** A Job of this name was there before: it is replaced, since one that has ended does not begin again. */
  again?: boolean;
}

/** How often a shard, or the merge, is started again after a failure, before it counts as failed. */
const RETRIES = 3;

/** An Indexed Job with a pod a shard, and the Job that merges, to be applied when the first is complete. */
export function collectOnKubernetes(
  launch: CollectLaunch,
  pod: PodShape,
): { files: LaunchFile[]; start: StartCommand; next: string } {
  refuseOutside(launch, pod);
  const { dir, shards, cwd } = launch;
  const inPods = { ...launch, program: ["pairwright"] };
  const name = jobName(dir);
  const at = (file: string) => join(dir, file);
  const shard = 'exec sh "$0" "$((JOB_COMPLETION_INDEX + 1))"';
  const collect = {
    // Of each shard for itself: one that fails for good leaves the others running.
    ...{ completionMode: "Indexed", completions: shards, parallelism: shards, backoffLimitPerIndex: RETRIES },
    // A fault of the configuration does not go away.
    podFailurePolicy: { rules: [{ action: "FailIndex", onExitCodes: { operator: "In", values: [EXIT.usage] } }] },
    template: template(inPods, pod, name, ["sh", "-c", shard, at("shard.sh")]),
  };
  const merge = { backoffLimit: RETRIES, template: template(inPods, pod, name, ["sh", at("merge.sh")]) };
  const apply = ["kubectl", ...(pod.again === true ? ["replace", "--force"] : ["apply"]), "-f"];
  const wait = ["kubectl", "wait", "--for=condition=complete", "--timeout=24h", `job/${name}`];
  return {
    files: [
      ...collectScripts(inPods),
      { name: "collect.yaml", text: job(name, collect, launch) },
      { name: "merge.yaml", text: job(`${name}-merge`, merge, launch) },
    ],
    start: { tool: "kubectl", argv: [...apply, at("collect.yaml")], cwd, env: {} },
    next: `${shellCommand(wait)} && ${shellCommand([...apply, at("merge.yaml")])}`,
  };
}

/** As Kubernetes has names: a folder may have been given another one. */
function jobName(dir: string): string {
  const letters = basename(dir)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  return `pairwright-${letters}`.slice(0, 50).replace(/-+$/, "");
}

function job(name: string, spec: object, { variables }: CollectLaunch): string {
  const keys = variables.map((variable) => `--from-literal=${variable}="$${variable}"`).join(" ");
  const secret = `# Once, with the values of your environment: kubectl create secret generic ${SECRET} ${keys}\n`;
  const tree = { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec };
  return (variables.length === 0 ? "" : secret) + stringify(tree, { lineWidth: 0 });
}

/** Holds the variables that the configuration reads; it is the user who makes it. */
const SECRET = "pairwright-env";

function template({ cwd, variables }: CollectLaunch, pod: PodShape, name: string, command: readonly string[]) {
  const env = variables.map((variable) => ({
    name: variable,
    valueFrom: { secretKeyRef: { name: SECRET, key: variable, optional: true } },
  }));
  return {
    metadata: { labels: { app: name } },
    spec: {
      restartPolicy: "Never",
      containers: [
        {
          name: "pairwright",
          image: pod.container,
          command: command.map(kubernetesText),
          workingDir: cwd,
          ...(env.length > 0 && { env }),
          volumeMounts: [{ name: "storage", mountPath: pod.mount }],
        },
      ],
      volumes: [{ name: "storage", persistentVolumeClaim: { claimName: pod.claim } }],
    },
  };
}

/** What lies elsewhere no pod would see. */
function refuseOutside({ cwd, config_file, dir }: CollectLaunch, { mount }: PodShape): void {
  const outside = [cwd, config_file, dir].find((path) => path !== mount && !path.startsWith(join(mount, "/")));
  if (outside === undefined) return;
  throw usageError({
    code: "not_on_storage",
    where: outside,
    what: `this lies outside of ${mount}, which is all that the pods see`,
    fix: "put project and results on the volume, or name the folder that it is mounted at: --claim NAME:/folder",
  });
}
