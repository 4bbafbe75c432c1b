import type { Database } from "./database.ts";

/** What the services keep, each kind under (namespace, name). A namespace itself has the namespace "". */
export type EntityKind =
  | "namespace"
  | "dataset"
  | "model"
  | "project"
  | "customization_config"
  | "customization_target"
  | "customization_job"
  | "customization_curves"
  | "deployment_config"
  | "model_deployment"
  | "datastore_namespace";

export interface EntityKey {
  namespace: string;
  name: string;
}

/** One demand on a field of the stored JSON; `field` is its path: ["artifact", "status"]. */
export interface Condition {
  field: readonly string[];
  /** All compare as texts. `contains`: in small letters or capitals. `present`: the field is there ([true]) or not ([false]). */
  is: "equal" | "contains" | "from" | "to" | "present";
  /** One of them has to hold. */
  values: readonly (string | number | boolean)[];
}

export interface ListRequest {
  where: readonly Condition[];
  /** A field's name, with `-` before it for the other way round. */
  sort: string;
  page: number;
  page_size: number;
}

/** All entities of one kind. What `insert`, `put` and `remove` have returned is on disk. */
export interface Collection<T> {
  /** False where the key is taken. */
  insert(key: EntityKey, body: T): boolean;
  get(key: EntityKey): T | undefined;
  /** Writes over what is there; false where nothing is. */
  put(key: EntityKey, body: T): boolean;
  remove(key: EntityKey): boolean;
  /** One page, and how many there are in all. */
  list(request: ListRequest): { data: T[]; total: number };
  /** All of them in the order they were made. */
  all(): T[];
}

/** The entities of this kind in the database, as JSON. */
export function collection<T extends object>(database: Database, kind: EntityKind): Collection<T> {
  const insert = database.prepare(
    "insert into entities (kind, namespace, name, body) values (?, ?, ?, ?) on conflict do nothing",
  );
  const get = database.prepare("select body from entities where kind = ? and namespace = ? and name = ?");
  const put = database.prepare("update entities set body = ? where kind = ? and namespace = ? and name = ?");
  const remove = database.prepare("delete from entities where kind = ? and namespace = ? and name = ?");
  const all = database.prepare("select body from entities where kind = ? order by seq");
  const parse = (row: unknown) => JSON.parse((row as { body: string }).body) as T;
  return {
    insert: ({ namespace, name }, body) => insert.run(kind, namespace, name, JSON.stringify(body)).changes > 0,
    get({ namespace, name }) {
      const row = get.get(kind, namespace, name);
      return row === undefined ? undefined : parse(row);
    },
    put: ({ namespace, name }, body) => put.run(JSON.stringify(body), kind, namespace, name).changes > 0,
    remove: ({ namespace, name }) => remove.run(kind, namespace, name).changes > 0,
    list(request) {
      const { where, values } = conditions(request.where);
      const from = `from entities where kind = ?${where}`;
      const { n } = database.prepare(`select count(*) as n ${from}`).get(kind, ...values) as { n: number };
      const { page, page_size } = request;
      const rows = database
        .prepare(`select body ${from} order by ${order(request.sort)} limit ? offset ?`)
        .all(kind, ...values, page_size, (page - 1) * page_size);
      return { data: rows.map(parse), total: n };
    },
    all: () => all.all(kind).map(parse),
  };
}

/** SQL for a list of demands. Values are bound; fields are names of ours. */
function conditions(list: readonly Condition[]): { where: string; values: string[] } {
  const values: string[] = [];
  const parts = list.map((condition) => {
    const each = condition.values.map((value) => {
      if (condition.is !== "present") values.push(String(value));
      return comparison(condition, value);
    });
    return ` and (${each.join(" or ")})`;
  });
  return { where: parts.join(""), values };
}

function comparison({ field, is }: Condition, value: string | number | boolean): string {
  const path = jsonPath(field);
  const text = `cast(json_extract(body, '${path}') as text)`;
  switch (is) {
    case "equal":
      // As text, since a query string knows no types; a boolean would be a number.
      return `case json_type(body, '${path}') when 'true' then 'true' when 'false' then 'false' else ${text} end = ?`;
    case "contains":
      return `instr(lower(${text}), lower(?)) > 0`;
    case "from":
      return `${text} >= ?`;
    case "to":
      return `${text} <= ?`;
    case "present":
      return `json_extract(body, '${path}') is ${value === true ? "not " : ""}null`;
  }
}

/** Names of fields are a closed set of ours; this sees to it that nothing else becomes part of a statement. */
function jsonPath(field: readonly string[]): string {
  const stranger = field.find((part) => !/^[a-z_]+$/.test(part));
  if (stranger !== undefined) throw new RangeError(`not the name of a field: ${stranger}`);
  return `$.${field.join(".")}`;
}

function order(sort: string): string {
  const down = sort.startsWith("-");
  const path = jsonPath([down ? sort.slice(1) : sort]);
  const direction = down ? "desc" : "asc";
  return `json_extract(body, '${path}') ${direction}, seq ${direction}`;
}
