/** X is 1, O is -1. */
export type Player = 1 | -1;
export type Cell = Player | 0;
/** Three rows of three cells; 0 is empty. Never changed in place. */
export type Board = readonly (readonly Cell[])[];
export type PlayerSymbol = "X" | "O";

/** A square by row and column, both from 1. May lie outside the board: `illegalReason` says so. */
export interface Move {
  row: number;
  col: number;
}

/** What a player is asked: which move to make here. `player` is the side to move. */
export interface MoveRequest {
  board: Board;
  player: Player;
}

const SIZE = 3;

/** All nine, row by row. */
export const SQUARES: readonly Move[] = Array.from({ length: SIZE * SIZE }, (_, square) => ({
  row: Math.floor(square / SIZE) + 1,
  col: (square % SIZE) + 1,
}));

export const EMPTY_BOARD: Board = [
  [0, 0, 0],
  [0, 0, 0],
  [0, 0, 0],
];

/** The eight lines, as indices of squares counted row by row from 0. */
export const LINES: readonly (readonly [number, number, number])[] = [
  [0, 1, 2],
  [3, 4, 5],
  [6, 7, 8],
  [0, 3, 6],
  [1, 4, 7],
  [2, 5, 8],
  [0, 4, 8],
  [2, 4, 6],
];

export function symbolOf(player: Player): PlayerSymbol {
  return player === 1 ? "X" : "O";
}

export function playerOf(symbol: PlayerSymbol): Player {
  return symbol === "X" ? 1 : -1;
}

export function opponentOf(player: Player): Player {
  return player === 1 ? -1 : 1;
}

/** What stands on a square; `undefined` off the board. */
export function cellAt(board: Board, { row, col }: Move): Cell | undefined {
  return board[row - 1]?.[col - 1];
}

/** The move in a value that may be anything, such as a candidate's; `undefined` when it is none. */
export function moveOf(value: unknown): Move | undefined {
  if (typeof value !== "object" || value === null || !("row" in value && "col" in value)) return undefined;
  const { row, col } = value;
  return typeof row === "number" && typeof col === "number" ? { row, col } : undefined;
}

/** Why this move cannot be made here, in words for a player; `undefined` when it can. */
export function illegalReason(board: Board, move: Move): string | undefined {
  const cell = cellAt(board, move);
  const square = `row ${move.row}, column ${move.col}`;
  if (cell === undefined) return `${square} is not on the board`;
  if (cell !== 0) return `${square} is taken by ${symbolOf(cell)}`;
  return undefined;
}

/** The empty squares, row by row. Does not ask whether the game is over. */
export function legalMoves(board: Board): Move[] {
  return SQUARES.filter((square) => cellAt(board, square) === 0);
}

/** The board after a move; the caller has seen to it that the move is legal. */
export function play(board: Board, { row, col }: Move, player: Player): Board {
  return board.map((cells, r) => (r === row - 1 ? cells.map((cell, c) => (c === col - 1 ? player : cell)) : cells));
}

/** Who has three in a row; 0 when nobody has. */
export function winnerOf(board: Board): Cell {
  const cells = board.flat();
  for (const [a, b, c] of LINES) {
    const first = cells[a];
    if (first && first === cells[b] && first === cells[c]) return first;
  }
  return 0;
}

export function isOver(board: Board): boolean {
  return winnerOf(board) !== 0 || legalMoves(board).length === 0;
}

/** Whose turn it is, told from the number of pieces: X begins. */
export function sideToMove(board: Board): Player {
  return board.flat().reduce<number>((sum, cell) => sum + cell, 0) === 0 ? 1 : -1;
}
