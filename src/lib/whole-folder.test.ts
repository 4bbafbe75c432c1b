import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeFolderWhole } from "./whole-folder.ts";

const fresh = () => mkdtemp(join(tmpdir(), "pairwright-whole-folder-"));
const fill = (text: string) => async (dir: string) => {
  await mkdir(join(dir, "in"));
  await writeFile(join(dir, "in", "file"), text);
};

test("a folder appears with all that was written, also into folders that are not there yet", async () => {
  const root = await fresh();
  await writeFolderWhole(join(root, "a", "b"), fill("one"));
  expect(await readFile(join(root, "a", "b", "in", "file"), "utf8")).toBe("one");
  expect(await readdir(join(root, "a"))).toEqual(["b"]);
});

test("an error leaves neither the folder nor its beginnings", async () => {
  const root = await fresh();
  const broken = async (dir: string) => {
    await fill("one")(dir);
    throw new Error("half-way");
  };
  await expect(writeFolderWhole(join(root, "a"), broken)).rejects.toThrow("half-way");
  expect(await readdir(root)).toEqual([]);
});

test("something that is there is refused, even when it came meanwhile; an empty folder gives way", async () => {
  const root = await fresh();
  const path = join(root, "a");
  await mkdir(path);
  await writeFolderWhole(path, fill("one"));
  await expect(writeFolderWhole(path, fill("two"))).rejects.toMatchObject({ code: "output_not_empty", where: path });
  await writeFile(join(root, "file"), "");
  await expect(writeFolderWhole(join(root, "file"), fill("two"))).rejects.toMatchObject({ code: "output_not_empty" });

  const late = join(root, "late");
  const meanwhile = async (dir: string) => {
    await fill("two")(dir);
    await mkdir(late);
    await writeFile(join(late, "another's"), "");
  };
  await expect(writeFolderWhole(late, meanwhile)).rejects.toMatchObject({ code: "output_not_empty" });
  expect((await readdir(root)).sort()).toEqual(["a", "file", "late"]);
});

test("told to, it replaces what is there, and an error keeps that", async () => {
  const root = await fresh();
  const path = join(root, "a");
  await writeFolderWhole(path, fill("one"));
  await writeFolderWhole(path, fill("two"), { overwrite: true });
  const broken = () => Promise.reject(new Error("at once"));
  await expect(writeFolderWhole(path, broken, { overwrite: true })).rejects.toThrow("at once");

  expect(await readFile(join(path, "in", "file"), "utf8")).toBe("two");
  expect(await readdir(root)).toEqual(["a"]);
});

test("links inside are not followed when the folder is flushed", async () => {
  const root = await fresh();
  await writeFolderWhole(join(root, "a"), (dir) => symlink("/nowhere/at/all", join(dir, "link")));
  expect(await readdir(join(root, "a"))).toEqual(["link"]);
});

test("killed in the middle, it leaves no folder of that name", async () => {
  const root = await fresh();
  const script = `
    import { writeFile } from "node:fs/promises";
    const { createJiti } = await import("jiti");
    const { writeFolderWhole } = await createJiti(import.meta.url).import(process.argv[1]);
    await writeFolderWhole(process.argv[2], async (dir) => {
      await writeFile(dir + "/half", "x");
      console.log("writing");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`;
  const module = new URL("whole-folder.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, module, join(root, "a")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "close");

  const left = await readdir(root);
  expect(left).toEqual([expect.stringMatching(/^\.a\.[0-9a-f]{8}\.partial$/)]);
  // What is left over stands in nobody's way.
  await writeFolderWhole(join(root, "a"), fill("one"));
  expect((await readdir(root)).sort()).toEqual([...left, "a"].sort());
});
