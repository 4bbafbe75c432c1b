import { resolve } from "node:path";
import { type Expansion, expandScalar } from "./expand-variables.ts";
import {
  formatPath,
  type MapNode,
  type Node,
  nodeAt,
  type Path,
  placeAt,
  type ScalarNode,
  scalarsOf,
  shown,
  toPlain,
} from "./node.ts";
import { type Platform, PlatformOptions } from "./schema.ts";

/** Where a platform's services are. */
export interface PlatformAddress {
  entity_host: string;
  datastore_host: string;
  /** Ends in `/v1`: the base URL of an OpenAI client. */
  nim_url: string;
  /** What a guarded platform asks for: sent to it wherever the file gives no key. */
  token?: string | undefined;
}

/** Finds or starts the platform that a configuration asks for. `models`: name -> absolute folder. */
export type OpenPlatform = (asked: { models: Record<string, string> }) => Promise<PlatformAddress>;

/** A value of the file that was replaced by the platform's address. */
export interface Replacement {
  path: string;
  from: string;
  to: string;
}

/** The seeds' variables, which point at the platform while there is one. */
const VARIABLES = {
  entity_host: "CUSTOMIZER_HOST",
  datastore_host: "DATASTORE_HOST",
  nim_url: "CUSTOMIZER_NIM_URL",
} as const satisfies Record<Exclude<keyof PlatformAddress, "token">, string>;
type Part = keyof typeof VARIABLES;
const PARTS = Object.keys(VARIABLES) as Part[];
const ONLY_A_VARIABLE = /^\$\{([A-Z_]+)(?::-[^}]*)?\}$/;

/** For commands that call nobody: the address that a platform has unless told. */
const USUAL = "http://127.0.0.1:8711";
export const USUAL_ADDRESS: PlatformAddress = {
  entity_host: USUAL,
  datastore_host: USUAL,
  nim_url: `${USUAL}/nim/v1`,
};

/**
 * The `platform:` section, read before variables are expanded elsewhere, since they follow from it. Undefined where there
 * is none, or one with faults: those are told when all sections are checked.
 */
export function platformAsked(root: MapNode, expansion: Expansion): Platform | undefined {
  const node = nodeAt(root, ["platform"]);
  if (node === undefined) return undefined;
  for (const { scalar } of scalarsOf(node)) expandScalar(scalar, expansion);
  const written = toPlain(node);
  const parsed = PlatformOptions.safeParse(written === "embedded" ? { _type: "embedded" } : written);
  if (!parsed.success) return undefined;
  const folder = (name: string, dir: string) => resolve(placeAt(root, ["platform", "models", name]).dir, dir);
  const models = Object.entries(parsed.data.models).map(([name, dir]) => [name, folder(name, dir)]);
  return { ...parsed.data, models: Object.fromEntries(models) };
}

/** The environment with the three variables at the platform's address. */
export function withAddress(env: Expansion["env"], address: PlatformAddress): Expansion["env"] {
  return { ...env, ...Object.fromEntries(PARTS.map((part) => [VARIABLES[part], address[part]])) };
}

/**
 * Puts the platform's address where the file has a variable for it, or another address: in the hosts of trainer adapters,
 * and in `base_url` of the llms that the platform serves. Gives what was written out in the file and is replaced. A saved
 * configuration shows the variable: the next platform may have another port.
 */
export function pointAt(root: MapNode, { serves }: Platform, address: PlatformAddress): Replacement[] {
  for (const { scalar } of scalarsOf(root)) {
    const name = ONLY_A_VARIABLE.exec(scalar.text)?.[1];
    const part = PARTS.find((known) => VARIABLES[known] === name);
    if (part !== undefined) Object.assign(scalar, addressed(part, address));
  }
  const places: [path: Path, part: Part][] = [];
  const adapters = nodeAt(root, ["trainer_adapters"]);
  for (const [name, { node }] of adapters?.kind === "map" ? adapters.entries : []) {
    for (const host of ["entity_host", "datastore_host"] as const) {
      if (nodeAt(node, [host]) !== undefined) places.push([["trainer_adapters", name, host], host]);
    }
    pollOften(node);
    if (typeOf(node) === NEMO) for (const key of ["api_key", "hf_token"]) setToken(node, key, address);
  }
  for (const name of serves) {
    if (nodeAt(root, ["llms", name])?.kind === "map") places.push([["llms", name, "base_url"], "nim_url"]);
  }
  const replaced = places.flatMap(([path, part]) => replace(root, path, part, address));
  const llms = nodeAt(root, ["llms"]);
  for (const [, { node }] of llms?.kind === "map" ? llms.entries : []) {
    if (!isServed(node, address)) continue;
    setToken(node, "api_key", address);
    // The platform draws each choice of a merged request as it would draw a reply of its own.
    setUnlessTold(node, "merge_calls", true);
  }
  return replaced;
}

/** On the same machine a job may last seconds, and asking costs next to nothing. */
const POLL_SECONDS = 0.2;

const NEMO = "nemo_customizer_trainer_adapter";

function pollOften(adapter: Node): void {
  if (typeOf(adapter) === NEMO) setUnlessTold(adapter, "poll_interval_seconds", POLL_SECONDS);
}

function isServed(llm: Node, { nim_url }: PlatformAddress): boolean {
  const type = typeOf(llm);
  const url = nodeAt(llm, ["base_url"]);
  return (type === "openai" || type === "nim") && url?.kind === "scalar" && url.text === nim_url;
}

/** A key of another service from the environment would be refused, and is none of the platform's business. */
function setToken(component: Node, key: string, { token }: PlatformAddress): void {
  if (component.kind !== "map" || token === undefined) return;
  const told = component.entries.get(key)?.node;
  if (told?.kind === "scalar" && told.text === "") component.entries.delete(key);
  setUnlessTold(component, key, token);
}

function typeOf(component: Node): unknown {
  const type = nodeAt(component, ["_type"]);
  return type?.kind === "scalar" ? type.value : undefined;
}

function setUnlessTold(component: Node, key: string, value: string | number | boolean): void {
  if (component.kind !== "map" || component.entries.has(key)) return;
  const { place } = component;
  const said = { value, text: String(value), plain: true, retypable: false, unexpanded: false };
  component.entries.set(key, { place, node: { kind: "scalar", place, ...said } });
}

function replace(root: MapNode, path: Path, part: Part, address: PlatformAddress): Replacement[] {
  const node = nodeAt(root, path);
  const holder = nodeAt(root, path.slice(0, -1));
  if (holder?.kind !== "map" || (node?.kind === "scalar" && node.text === address[part])) return [];
  const place = placeAt(root, path);
  holder.entries.set(String(path.at(-1)), { place, node: { kind: "scalar", place, ...addressed(part, address) } });
  const from = node === undefined ? "nothing" : node.kind === "scalar" ? shown(node) : `a ${node.kind}`;
  return [{ path: formatPath(path), from, to: address[part] }];
}

function addressed(part: Part, address: PlatformAddress): Omit<ScalarNode, "kind" | "place"> {
  const value = address[part];
  return { value, text: value, plain: false, retypable: false, unexpanded: false, redacted: `\${${VARIABLES[part]}}` };
}
