import { type Board, type Cell, LINES, type Player } from "./board.ts";

/** A board as a number: 3 to the power of the square, times what stands there, over all squares, moved up to begin at 0. */
const CODES = 3 ** 9;
const EMPTY_CODE = (CODES - 1) / 2;
const WEIGHTS = Array.from({ length: 9 }, (_, square) => 3 ** square);
/** In place of a cell that is not there: puts the code out of range. */
const NO_CELL = CODES * 27;
const NO_ROW: readonly Cell[] = [];

/** A game lasts at most nine plies, so a win that lies `p` plies ahead is worth `WON - p` and still more than a draw. */
const WON = 10;

/** What the features of the seeds weigh: lines that are still open to their owner, and squares. */
const FEATURES = { two_in_a_row: 4, one_in_a_row: 1.5, center: 1.5, corner: 0.75, edge: 0.25 } as const;

/** Every board solved, for either side to move. Codes that no game reaches are in the tables too, and mean nothing. */
export interface Solution {
  /** At `code * 2 + (X to move ? 0 : 1)`: above 0 when X wins, below when O does, 0 for a draw; nearer ends are larger. */
  readonly values: Int8Array;
  /** At `code`: the weight of X's features less that of O's. */
  readonly features: Float64Array;
}

let solved: Solution | undefined;

/** The tables, made on first use (some milliseconds) and kept. */
export function solution(): Solution {
  solved ??= solve();
  return solved;
}

/** The place of a board in the tables. Runs for every score: no array is made, nothing is looked at twice. */
export function codeOf(board: Board): number {
  const code =
    EMPTY_CODE + rowCode(board[0] ?? NO_ROW) + 27 * rowCode(board[1] ?? NO_ROW) + 729 * rowCode(board[2] ?? NO_ROW);
  if (code >= CODES) throw new RangeError("a board has three rows of three cells");
  return code;
}

function rowCode(cells: readonly Cell[]): number {
  return (cells[0] ?? NO_CELL) + 3 * (cells[1] ?? NO_CELL) + 9 * (cells[2] ?? NO_CELL);
}

/** How a board stands under perfect play. */
export interface Verdict {
  /** 1 the player wins, 0 a draw, -1 the player loses. */
  outcome: 1 | 0 | -1;
  /** Plies until three in a row stand, the winner hurrying and the loser delaying; `undefined` for a draw. */
  plies: number | undefined;
}

/** The exact value of a board for `player`, with `side` to move. */
export function verdictOf(board: Board, player: Player, side: Player): Verdict {
  const value = (solution().values[codeOf(board) * 2 + (side === 1 ? 0 : 1)] ?? 0) * player;
  if (value === 0) return { outcome: 0, plies: undefined };
  return value > 0 ? { outcome: 1, plies: pliesOf(value) } : { outcome: -1, plies: pliesOf(-value) };
}

/** How many plies ahead the end lies that a (positive) table value speaks of. */
export function pliesOf(value: number): number {
  return WON - value;
}

const UNSOLVED = 127;

function solve(): Solution {
  const cells = allCells();
  const values = new Int8Array(CODES * 2).fill(UNSOLVED);
  const tables = { cells, values };
  const features = new Float64Array(CODES);
  for (let code = 0; code < CODES; code += 1) {
    valueAt(tables, code, 1);
    valueAt(tables, code, -1);
    features[code] = featuresAt(cells, code * 9);
  }
  return { values, features };
}

/** What stands on every square of every board, nine entries a code. */
function allCells(): Int8Array {
  const cells = new Int8Array(CODES * 9);
  for (let code = 0, at = 0; code < CODES; code += 1) {
    for (let square = 0, rest = code; square < 9; square += 1, at += 1) {
      cells[at] = (rest % 3) - 1;
      rest = (rest / 3) | 0;
    }
  }
  return cells;
}

interface Tables {
  cells: Int8Array;
  values: Int8Array;
}

/** Plain minimax over exact values, each board and side solved once: no bounds, so nothing half-true is kept. */
function valueAt(tables: Tables, code: number, side: Player): number {
  const index = code * 2 + (side === 1 ? 0 : 1);
  const known = tables.values[index] ?? UNSOLVED;
  if (known !== UNSOLVED) return known;

  const winner = winnerAt(tables.cells, code * 9);
  const value = winner === 0 ? bestAt(tables, code, side) : winner * WON;
  tables.values[index] = value;
  return value;
}

/** The best successor's value for the side to move, one ply further away; 0 on a full board. */
function bestAt(tables: Tables, code: number, side: Player): number {
  let best: number | undefined;
  for (let square = 0; square < 9; square += 1) {
    if (tables.cells[code * 9 + square] !== 0) continue;
    const value = valueAt(tables, code + side * (WEIGHTS[square] ?? 0), side === 1 ? -1 : 1);
    const nearer = value - Math.sign(value);
    if (best === undefined || nearer * side > best * side) best = nearer;
  }
  return best ?? 0;
}

function winnerAt(cells: Int8Array, at: number): number {
  for (const line of LINES) {
    const sum = (cells[at + line[0]] ?? 0) + (cells[at + line[1]] ?? 0) + (cells[at + line[2]] ?? 0);
    if (sum === 3 || sum === -3) return sum / 3;
  }
  return 0;
}

function featuresAt(cells: Int8Array, at: number): number {
  let sum = 0;
  for (const line of LINES) {
    const first = cells[at + line[0]] ?? 0;
    const second = cells[at + line[1]] ?? 0;
    const third = cells[at + line[2]] ?? 0;
    const balance = first + second + third;
    // Open to one side only when all its pieces are of one colour.
    if (Math.abs(first) + Math.abs(second) + Math.abs(third) !== Math.abs(balance)) continue;
    if (balance === 2 || balance === -2) sum += (balance / 2) * FEATURES.two_in_a_row;
    if (balance === 1 || balance === -1) sum += balance * FEATURES.one_in_a_row;
  }
  for (let square = 0; square < 9; square += 1) {
    const weight = square === 4 ? FEATURES.center : square % 2 === 0 ? FEATURES.corner : FEATURES.edge;
    sum += (cells[at + square] ?? 0) * weight;
  }
  return sum;
}
