import { relative } from "node:path";
import ts from "typescript";

/**
 * A function that returns a promise from within `using` or `try` lets go of what it holds before the promise is done:
 * the lock is given back, the folder is gone, the fault is nobody's. Part of `npm run types`; the linter has no such rule.
 */

function holds(returned: ts.ReturnStatement): boolean {
  let inner: ts.Node = returned;
  for (let outer = inner.parent; !ts.isFunctionLike(inner) && outer !== undefined; outer = outer.parent) {
    if (ts.isTryStatement(outer) && outer.tryBlock === inner) return true;
    if (ts.isBlock(outer) && usingBefore(outer, inner)) return true;
    inner = outer;
  }
  return false;
}

function usingBefore(block: ts.Block, end: ts.Node): boolean {
  const before = block.statements.filter(({ pos }) => pos < end.pos);
  return before.some((line) => ts.isVariableStatement(line) && (line.declarationList.flags & ts.NodeFlags.Using) !== 0);
}

function isPromise(type: ts.Type, checker: ts.TypeChecker): boolean {
  const parts = type.isUnion() ? type.types : [type];
  return parts.some((part) => checker.getPropertyOfType(part, "then") !== undefined);
}

function returnedPromises(program: ts.Program): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const file of program.getSourceFiles()) {
    if (file.isDeclarationFile || program.isSourceFileFromExternalLibrary(file)) continue;
    const visit = (node: ts.Node): void => {
      if (ts.isReturnStatement(node) && node.expression && holds(node)) {
        if (isPromise(checker.getTypeAtLocation(node.expression), checker)) {
          const { line } = file.getLineAndCharacterOfPosition(node.getStart());
          found.push(`${relative(process.cwd(), file.fileName)}:${line + 1}`);
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined };
const config = ts.getParsedCommandLineOfConfigFile("tsconfig.json", {}, host);
if (config === undefined) throw new Error("tsconfig.json cannot be read");
const found = returnedPromises(ts.createProgram(config.fileNames, config.options));
for (const place of found) process.stderr.write(`${place}: a promise is returned from within using or try: await it\n`);
process.exitCode = found.length === 0 ? 0 : 1;
