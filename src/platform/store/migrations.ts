/**
 * How the database came to be what it is, one step a version, never changed once released. `entities` holds what clients
 * made through the JSON services, each as the JSON that it is answered with.
 */
export const MIGRATIONS: readonly string[] = [
  `create table entities (
     seq integer primary key autoincrement,
     kind text not null,
     namespace text not null,
     name text not null,
     body text not null,
     unique (kind, namespace, name)
   ) strict;
   create index entities_in_order on entities (kind, json_extract(body, '$.created_at'), seq);`,
];
