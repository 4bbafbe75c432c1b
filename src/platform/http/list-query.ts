import type { Condition, ListRequest } from "../store/collection.ts";
import { type FieldFault, unprocessable } from "./http-fault.ts";

/** What a kind of entity may be listed by. */
export interface ListFields {
  /** Fields to sort by, both ways. */
  sort: readonly string[];
  /** Query name -> path of the field. A filter of another name is refused. */
  filter: Readonly<Record<string, FilterField>>;
  /** Fields that `search` looks into: part of a text, or a range of times. */
  search?: readonly string[];
}

export interface FilterField {
  field: readonly string[];
  /** `present`: true or false, whether the field is there. `range`: `gte`, `lte`. Else equality. */
  as?: "present" | "range";
}

/** A list's request, and the parts of it that the answer repeats. */
export interface ListQuery extends ListRequest {
  filter?: Record<string, unknown>;
  search?: Record<string, unknown>;
}

/** What the services give where a client names no size: clients that look at one page only see everything. */
const PAGE_SIZE = 1000;
const MOST_PER_PAGE = 10_000;

interface Nested {
  [key: string]: string[] | Nested;
}

/**
 * Reads `page`, `page_size`, `sort`, `filter[...]` and `search[...]` of a URL. Values of one field, by comma or repeated,
 * are alternatives; different fields must all hold. Errors: 422 naming the parameter.
 */
export function listQuery(url: string, fields: ListFields): ListQuery {
  const query = nested(new URL(url).searchParams);
  const faults: FieldFault[] = [];
  const page = whole(query, "page", 1, Number.MAX_SAFE_INTEGER, faults);
  const page_size = whole(query, "page_size", PAGE_SIZE, MOST_PER_PAGE, faults);
  const sort = textOf(query.sort) ?? "created_at";
  const known = fields.sort.flatMap((field) => [field, `-${field}`]);
  if (!known.includes(sort)) faults.push(fault(["sort"], `must be one of ${known.join(", ")}`, "enum"));
  const where = [
    ...filterConditions(query.filter, fields.filter, faults),
    ...searchConditions(query.search, fields.search ?? [], faults),
  ];
  if (faults.length > 0) throw unprocessable(...faults);
  return {
    page,
    page_size,
    sort,
    where,
    ...(isNested(query.filter) && { filter: echo(query.filter) }),
    ...(isNested(query.search) && { search: echo(query.search) }),
  };
}

function filterConditions(
  given: Nested[string] | undefined,
  known: ListFields["filter"],
  faults: FieldFault[],
): Condition[] {
  if (!isNested(given)) return [];
  return flat(given).flatMap(([name, values]): Condition[] => {
    const end = /\[(gte|lte)\]$/.exec(name);
    const plain = end ? name.slice(0, end.index) : name;
    const field = Object.hasOwn(known, plain) ? known[plain] : undefined;
    if (field === undefined || (end !== null) !== (field.as === "range")) {
      faults.push(
        fault(
          ["filter", name],
          `there is no such filter; there are ${Object.keys(known).join(", ")}`,
          "extra_forbidden",
        ),
      );
      return [];
    }
    if (end) return [{ field: field.field, is: end[1] === "gte" ? "from" : "to", values: values.map(naive) }];
    if (field.as === "present") return [{ field: field.field, is: "present", values: [values[0] === "true"] }];
    return [{ field: field.field, is: "equal", values }];
  });
}

function searchConditions(
  given: Nested[string] | undefined,
  known: readonly string[],
  faults: FieldFault[],
): Condition[] {
  if (!isNested(given)) return [];
  return flat(given).flatMap(([name, values]): Condition[] => {
    const end = /\[(start|end)\]$/.exec(name);
    const field = end ? name.slice(0, end.index) : name;
    if (!known.includes(field)) {
      faults.push(
        fault(["search", name], `there is no such field to search; there are ${known.join(", ")}`, "extra_forbidden"),
      );
      return [];
    }
    if (end) return [{ field: [field], is: end[1] === "start" ? "from" : "to", values: values.map(naive) }];
    return [{ field: [field], is: "contains", values }];
  });
}

/** Times are compared as texts, in the services' own form: microseconds, no zone. */
function naive(time: string): string {
  const at = Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(time) ? time : `${time}Z`);
  return Number.isNaN(at) ? time : new Date(at).toISOString().slice(0, -1);
}

/** `a[b][c]=1&a[b][c]=2` as {a: {b: {c: ["1", "2"]}}}. Commas part values, too. */
function nested(params: URLSearchParams): Nested {
  const root: Nested = Object.create(null);
  for (const [key, value] of params) {
    if (value === "") continue;
    const [first = "", ...rest] = key.split("[");
    const path = [first, ...rest.map((part) => part.replace(/\]$/, ""))].filter((part) => part !== "");
    const last = path.pop();
    if (last === undefined) continue;
    let at = root;
    for (const part of path) {
      const there = at[part];
      const next: Nested = isNested(there) ? there : Object.create(null);
      at[part] = next;
      at = next;
    }
    const there = at[last];
    if (!isNested(there)) at[last] = [...(there ?? []), ...value.split(",")];
  }
  return root;
}

/** `{a: {b: ["1"]}}` as [["a[b]", ["1"]]]. */
function flat(tree: Nested, before = ""): [name: string, values: string[]][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string[]][] => {
    const name = before === "" ? key : `${before}[${key}]`;
    return isNested(value) ? flat(value, name) : [[name, value]];
  });
}

function echo(tree: Nested): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [
      key,
      isNested(value) ? echo(value) : value.length === 1 ? value[0] : value,
    ]),
  );
}

function isNested(value: Nested[string] | undefined): value is Nested {
  return value !== undefined && !Array.isArray(value);
}

function textOf(value: Nested[string] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : undefined;
}

function whole(query: Nested, name: string, unless: number, most: number, faults: FieldFault[]): number {
  const text = textOf(query[name]);
  if (text === undefined) return unless;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  faults.push(fault([name], `must be a whole number from 1 to ${most}`, "int_range"));
  return unless;
}

function fault(path: string[], msg: string, type: string): FieldFault {
  return { loc: ["query", ...path], msg, type };
}
