// `ipvsadm -R`: many command lines as one transaction. ipvsadm runs them one by one and stops wherever it stops; here a
// line that can't be done undoes them all.
import { FairleadError } from '../../model/error.ts';
import { type Edit, requireService } from '../../model/table.ts';
import { editsOf } from './edits.ts';
import type { Host } from './host.ts';
import { type Invocation, identityOf, readInvocation } from './invocation.ts';
import { failureStatus, Refusal, textOf } from './refusal.ts';

export interface Restoration {
  readonly edits: readonly Edit[];
  /** --set and -Z touch no table: they are done in their order once the table is in force. */
  readonly afterwards: readonly Invocation[];
}

export async function readRestoration(
  text: string,
  host: Host,
  check: (invocation: Invocation) => void,
): Promise<Restoration> {
  const edits: Edit[] = [];
  const afterwards: Invocation[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t\r]+/).filter((word) => word !== '');
    if (words.length === 0) continue;
    try {
      const invocation = await readInvocation(words, host);
      check(invocation);
      edits.push(...editsWithin(invocation).map((edit) => locate(edit, at, line)));
      if (comesAfterwards(invocation)) afterwards.push(invocation);
    } catch (error) {
      throw atLine(error, at, line);
    }
  }
  return { edits, afterwards };
}

export async function readAll(input: AsyncIterable<string | Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of input) text += typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true });
  return text + decoder.decode();
}

function comesAfterwards({ command }: Invocation): boolean {
  return command === 'set' || command === 'zero';
}

/** Listing, saving and help have no place in a transaction: they would show what is not in force. */
function editsWithin(invocation: Invocation): readonly Edit[] {
  const edits = editsOf(invocation);
  if (edits.length > 0) return edits;
  if (!comesAfterwards(invocation)) {
    throw new Refusal(failureStatus, `The '${invocation.command}' command can't be part of a restore`);
  }
  const zeroed = invocation.command === 'zero' ? identityOf(invocation) : undefined;
  return zeroed === undefined ? [] : [requireService(zeroed)];
}

function locate(edit: Edit, at: number, line: string): Edit {
  return (draft) => {
    try {
      edit(draft);
    } catch (error) {
      throw atLine(error, at, line);
    }
  };
}

function atLine(error: unknown, at: number, line: string): unknown {
  if (!(error instanceof FairleadError)) return error;
  const reason = textOf(error).trimEnd();
  return new Refusal(failureStatus, `line ${at + 1}: ${line.trim()}: ${reason}\nNothing has been changed.`, error.code);
}
