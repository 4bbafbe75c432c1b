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
  // The Datastore: repositories with their history. Trees are named by their content and shared by all repositories.
  `create table repos (
     id integer primary key autoincrement,
     type text not null,
     namespace text not null,
     name text not null,
     created_at text not null,
     unique (type, namespace, name)
   ) strict;
   create table commits (
     repo integer not null references repos (id) on delete cascade,
     oid text not null,
     tree text not null,
     parent text,
     summary text not null,
     description text not null,
     date text not null,
     primary key (repo, oid)
   ) strict, without rowid;
   create table refs (
     repo integer not null references repos (id) on delete cascade,
     kind text not null,
     name text not null,
     oid text not null,
     primary key (repo, kind, name)
   ) strict, without rowid;
   create table trees (
     oid text primary key,
     entries text not null
   ) strict;`,
];
