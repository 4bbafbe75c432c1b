import type { Generator } from "./generator.ts";
import type { TextPiece } from "./job.ts";
import type { Completion, GenerationRequest } from "./request.ts";

/**
 * A request's text as it is made: pieces of all candidates, then (as the iterator's return value) the completions. Pieces
 * wait for a slow reader, and generation does not; a reader that leaves ends the request. Errors: those of `generate`.
 */
export async function* streamText(
  generator: Generator,
  request: GenerationRequest,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<TextPiece, Completion[]> {
  const left = new AbortController();
  const pieces: TextPiece[] = [];
  let wake: () => void = () => undefined;
  let over = false;
  const result = generator
    .generate(request, {
      signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
      on_text(piece) {
        pieces.push(piece);
        wake();
      },
    })
    .finally(() => {
      over = true;
      wake();
    });
  // Its error is thrown below, when the pieces that came before it are read.
  result.catch(() => undefined);
  try {
    for (;;) {
      yield* pieces.splice(0);
      if (pieces.length > 0) continue;
      if (over) return await result;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    left.abort();
  }
}
