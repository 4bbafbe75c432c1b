import { stringify } from "yaml";

/** A value as YAML 1.1, which Python's and Kubernetes' readers speak: there a bare `no` is false, and is quoted here. */
export function yamlText(value: unknown): string {
  return stringify(value, { version: "1.1", lineWidth: 0 });
}
