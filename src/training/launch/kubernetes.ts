import type { LaunchInput } from "./launch-plan.ts";

/** What a pod of a training is made of: parts of a manifest. */
export interface Pod {
  container: Record<string, unknown>;
  volumes: Record<string, unknown>[];
}

/** Why Kubernetes cannot be told to run it; undefined when it can. */
export function whyNotKubernetes(input: LaunchInput): string | undefined {
  const { container, kubernetes, model_name } = input.options;
  const { claim, mount } = kubernetes;
  if (container === null) return "Kubernetes needs an image: give `container`";
  if (claim === null || mount === null) {
    return "Kubernetes needs a volume with the data that all pods see: give `kubernetes.claim` and `kubernetes.mount`";
  }
  const { training, validation } = input.files;
  const paths = [input.dir, input.output, training.path, validation.path];
  if (model_name.startsWith("/")) paths.push(model_name);
  const outside = paths.find((path) => path !== mount && !path.startsWith(`${mount.replace(/\/$/, "")}/`));
  return outside === undefined ? undefined : `${outside} is not below ${mount}, where the volume is mounted`;
}

/** A word of a command, or the value of a variable, in which Kubernetes puts no variable where `$(NAME)` is. */
export function kubernetesText(text: string): string {
  return text.replace(/\$(?=[$(])/g, "$$$$");
}

/** One container with `gpus` GPUs, the volume, and enough shared memory for processes that exchange tensors. */
export function pod(input: LaunchInput, name: string, gpus: number): Pod {
  const { container, kubernetes, env } = input.options;
  const resources = gpus === 0 ? {} : { resources: { limits: { "nvidia.com/gpu": gpus } } };
  return {
    container: {
      name,
      image: container,
      ...resources,
      env: Object.entries(env).map(([key, value]) => ({ name: key, value: kubernetesText(value) })),
      ...(kubernetes.secret !== null && { envFrom: [{ secretRef: { name: kubernetes.secret } }] }),
      volumeMounts: [
        { name: "data", mountPath: kubernetes.mount },
        { name: "shared-memory", mountPath: "/dev/shm" },
      ],
    },
    volumes: [
      { name: "data", persistentVolumeClaim: { claimName: kubernetes.claim } },
      { name: "shared-memory", emptyDir: { medium: "Memory" } },
    ],
  };
}
