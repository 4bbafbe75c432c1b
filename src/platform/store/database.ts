import Libsql from "libsql";
import { messageOf, PairwrightError, usageError } from "../../lib/errors.ts";
import { MIGRATIONS } from "./migrations.ts";

/** The platform's database: one file, used by one process. A statement that has run is on disk. */
export type Database = Libsql.Database;

/**
 * Opens the file and brings it to the newest version. Calls block the event loop for a fraction of a millisecond, and two
 * statements with no `await` between them have nothing between them. Errors: `database_newer`, `database_unusable`.
 */
export function openDatabase(path: string): Database {
  let database: Database | undefined;
  try {
    database = new Libsql(path);
    database.pragma("journal_mode = WAL");
    // With WAL, only this makes a commit outlive the machine's power.
    database.pragma("synchronous = FULL");
    database.pragma("foreign_keys = ON");
    migrate(database, path);
    return database;
  } catch (error) {
    database?.close();
    if (PairwrightError.is(error)) throw error;
    throw usageError({
      code: "database_unusable",
      where: path,
      what: `the database cannot be opened: ${messageOf(error)}`,
      fix: "name another --data folder, or put a copy of the file back",
      cause: error,
    });
  }
}

function migrate(database: Database, path: string): void {
  const { user_version } = database.prepare("pragma user_version").get() as { user_version: number };
  if (user_version > MIGRATIONS.length) {
    throw usageError({
      code: "database_newer",
      where: path,
      what: `version ${user_version} was written by a newer pairwright; this one knows ${MIGRATIONS.length}`,
      fix: "use the newer pairwright, or name another --data folder",
    });
  }
  MIGRATIONS.slice(user_version).forEach((step, index) => {
    transaction(database, () => {
      database.exec(step);
      database.exec(`pragma user_version = ${user_version + index + 1}`);
    });
  });
}

/** All of it or nothing. `work` must not wait for anything. */
export function transaction<T>(database: Database, work: () => T): T {
  database.exec("begin immediate");
  try {
    const result = work();
    database.exec("commit");
    return result;
  } catch (error) {
    database.exec("rollback");
    throw error;
  }
}
