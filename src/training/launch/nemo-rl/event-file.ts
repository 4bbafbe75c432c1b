import { open } from "node:fs/promises";

/** A number that a program logged for TensorBoard. */
export interface Scalar {
  tag: string;
  value: number;
  step: number;
  /** Unix time in seconds. */
  at_s: number;
}

const CHUNK_BYTES = 1 << 20;
/** Length and checksum before a record, checksum after it. */
const HEAD_BYTES = 12;
const TAIL_BYTES = 4;
/** Longer than any event: what claims more is no event file. */
const MOST_BYTES = 1 << 26;

/**
 * The scalars of a TensorBoard event file: TFRecords that each hold one `Event` (tensorflow/core/util/event.proto, fields
 * wall_time 1, step 2, summary 5; of a summary's values tag 1 and simple_value 2, as PyTorch's writer has them). A record that
 * is being written ends the reading. Checksums are not looked at.
 */
export async function* readScalars(path: string, signal?: AbortSignal): AsyncGenerator<Scalar> {
  const file = await open(path, "r");
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (let position = 0; ; ) {
      signal?.throwIfAborted();
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      let at = 0;
      while (at + HEAD_BYTES <= bytes.length) {
        const length = Number(bytes.readBigUInt64LE(at));
        if (length > MOST_BYTES) return;
        const end = at + HEAD_BYTES + length;
        if (end + TAIL_BYTES > bytes.length) break;
        yield* scalarsOf(bytes.subarray(at + HEAD_BYTES, end));
        at = end + TAIL_BYTES;
      }
      rest = bytes.subarray(at);
    }
  } finally {
    await file.close();
  }
}

function scalarsOf(event: Buffer): Scalar[] {
  let [step, at_s] = [0, 0];
  const found: { tag: string; value: number }[] = [];
  for (const field of fields(event)) {
    if (field.number === 1 && field.bytes.length === 8) at_s = field.bytes.readDoubleLE();
    if (field.number === 2) step = field.varint;
    if (field.number === 5) for (const value of fields(field.bytes)) found.push(...simpleValue(value.bytes));
  }
  return found.map((each) => ({ ...each, step, at_s }));
}

function simpleValue(message: Buffer): { tag: string; value: number }[] {
  let tag = "";
  let value: number | undefined;
  for (const field of fields(message)) {
    if (field.number === 1) tag = field.bytes.toString("utf8");
    if (field.number === 2 && field.bytes.length === 4) value = field.bytes.readFloatLE();
  }
  return value === undefined ? [] : [{ tag, value }];
}

/** A field of a protocol buffer: a number, or the bytes of whatever else it is. */
interface Field {
  number: number;
  varint: number;
  bytes: Buffer;
}

const NO_BYTES = Buffer.alloc(0);

function* fields(message: Buffer): Generator<Field> {
  for (let at = 0; at < message.length; ) {
    const key = varintAt(message, at);
    at = key.end;
    const number = Math.floor(key.value / 8);
    const kind = key.value % 8;
    if (kind === 0) {
      const { value, end } = varintAt(message, at);
      yield { number, varint: value, bytes: NO_BYTES };
      at = end;
      continue;
    }
    const length = kind === 2 ? varintAt(message, at) : { value: kind === 1 ? 8 : 4, end: at };
    const end = length.end + length.value;
    // Groups (3 and 4) are not used any more: a message with one is not read on.
    if (kind === 3 || kind === 4 || end > message.length) return;
    yield { number, varint: 0, bytes: message.subarray(length.end, end) };
    at = end;
  }
}

/** Exact up to 2^53: steps and lengths are below it. */
function varintAt(message: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  let scale = 1;
  let at = start;
  for (; at < message.length; at += 1) {
    const byte = message[at] ?? 0;
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) break;
  }
  return { value, end: at + 1 };
}
