import { didYouMean } from "../lib/suggest.ts";
import { EvaluatorName } from "../records/score.ts";
import { type Checking, checkComponent, checkPart, type Entry } from "./components.ts";
import type { Faults } from "./config-error.ts";
import { emptyMap, type MapNode, type Node, nodeAt, type Path, placeAt } from "./node.ts";
import type { Holder } from "./references.ts";
import {
  type ComponentSection,
  EvalGeneral,
  Finetuning,
  FOREIGN_SECTIONS,
  NAMED_SECTIONS,
  Platform,
  REFUSED,
  SECTIONS,
  Split,
} from "./schema.ts";

/** The parts of a file that are no components. A part is `undefined` when it is at fault. */
export interface Parts {
  general: Holder & { data: EvalGeneral | undefined };
  finetuning: Holder & { data: Finetuning | undefined };
  split: Holder & { data: Split | undefined };
  platform: (Holder & { data: Platform | "embedded" | undefined }) | undefined;
}

export interface CheckedSections {
  entries: Entry[];
  parts: Parts;
}

/** Checks every section against its schema. References are another matter: see `checkReferences`. */
export function checkSections(root: MapNode, checking: Checking): CheckedSections {
  const { faults } = checking;
  refuseForeign(root, faults);
  refuseUnsupported(root, faults);
  const entries: Entry[] = [];
  const add = (section: ComponentSection, path: Path, name: string, node: Node) => {
    const place = keyPlace(root, path);
    entries.push(checkComponent({ section, name, path, place }, node, checking));
  };

  for (const section of NAMED_SECTIONS) {
    for (const [name, entry] of mapAt(root, [section], faults).entries) add(section, [section, name], name, entry.node);
  }
  const workflow = nodeAt(root, ["workflow"]);
  if (workflow !== undefined && !isNull(workflow)) add("workflow", ["workflow"], "workflow", workflow);

  const evaluation = mapAt(root, ["eval"], faults);
  for (const [key, entry] of evaluation.entries) {
    if (key === "general" || key === "evaluators") continue;
    const message = `unknown key.${didYouMean(key, ["general", "evaluators"])}`;
    faults.add({
      code: "unknown_key",
      place: entry.place,
      path: ["eval", key],
      message,
      fix: "known here: general, evaluators",
    });
  }
  for (const [name, entry] of mapAt(root, ["eval", "evaluators"], faults).entries) {
    const { error } = EvaluatorName.safeParse(name);
    for (const issue of error?.issues ?? []) {
      const [place, path] = [entry.place, ["eval", "evaluators", name]];
      const message = "this name cannot be part of a file's name";
      faults.add({ code: "invalid_name", place, path, message, fix: `choose another: ${issue.message}` });
    }
    add("eval.evaluators", ["eval", "evaluators", name], name, entry.node);
  }
  const general = mapAt(root, ["eval", "general"], faults);
  const dataset = general.entries.get("dataset");
  if (dataset && !isNull(dataset.node))
    add("eval.general.dataset", ["eval", "general", "dataset"], "dataset", dataset.node);

  return { entries, parts: checkParts(root, withoutDataset(general), faults) };
}

function checkParts(root: MapNode, general: MapNode, faults: Faults): Parts {
  const finetuning = mapAt(root, ["finetuning"], faults);
  const split = mapAt(root, ["split"], faults);
  const platform = nodeAt(root, ["platform"]);
  return {
    general: part(EvalGeneral, general, ["eval", "general"], faults),
    finetuning: part(Finetuning, finetuning, ["finetuning"], faults),
    split: part(Split, split, ["split"], faults),
    platform: platform === undefined || isNull(platform) ? undefined : part(Platform, platform, ["platform"], faults),
  };
}

function part<S extends Holder["schema"]>(schema: S, node: Node, path: Path, faults: Faults) {
  return { schema, node, path, data: checkPart(schema, node, path, faults) };
}

function withoutDataset(general: MapNode): MapNode {
  const entries = new Map(general.entries);
  entries.delete("dataset");
  return { ...general, entries };
}

function isNull(node: Node): boolean {
  return node.kind === "scalar" && node.value === null;
}

/** The map at a path; an empty one where there is nothing, or null, which switches off what a base file has. */
function mapAt(root: MapNode, path: Path, faults: Faults): MapNode {
  const node = nodeAt(root, path);
  if (node?.kind === "map") return node;
  const place = placeAt(root, path);
  if (node !== undefined && !isNull(node)) {
    const got = node.kind === "list" ? "a list" : "a single value";
    faults.add({ code: "invalid_value", place, path, message: `expected a map, got ${got}` });
  }
  return emptyMap(place);
}

function keyPlace(root: MapNode, path: Path) {
  const parent = nodeAt(root, path.slice(0, -1));
  const entry = parent?.kind === "map" ? parent.entries.get(String(path.at(-1))) : undefined;
  return entry?.place ?? placeAt(root, path);
}

function refuseForeign(root: MapNode, faults: Faults): void {
  for (const [key, { place }] of root.entries) {
    if (SECTIONS.some((section) => section === key)) continue;
    const advice = Object.hasOwn(FOREIGN_SECTIONS, key) ? FOREIGN_SECTIONS[key] : undefined;
    if (advice !== undefined) {
      const message = `pairwright has no section "${key}"`;
      faults.add({ code: "unknown_section", place, path: [key], message, fix: advice });
      continue;
    }
    const hint = didYouMean(key, SECTIONS);
    const fix = hint === "" ? `sections: ${SECTIONS.join(", ")}` : undefined;
    faults.add({ code: "unknown_section", place, path: [key], message: `unknown section.${hint}`, fix });
  }
}

/** Says what to do instead of each setting that is not supported, and takes it out so that it is said once. */
function refuseUnsupported(root: MapNode, faults: Faults): void {
  for (const [name, advice] of Object.entries(REFUSED)) {
    const path = name.split(".");
    const parent = nodeAt(root, path.slice(0, -1));
    const key = path.at(-1) ?? "";
    const entry = parent?.kind === "map" ? parent.entries.get(key) : undefined;
    if (parent?.kind !== "map" || entry === undefined) continue;
    parent.entries.delete(key);
    // Switched off is what pairwright does anyway.
    const off = entry.node.kind === "scalar" && (entry.node.value === false || entry.node.value === null);
    if (!off)
      faults.add({
        code: "unsupported",
        place: entry.place,
        path,
        message: "pairwright does not have this",
        fix: advice,
      });
  }
}
