// `ipvsadm -R`: many command lines as one transaction. ipvsadm runs them one by one and stops wherever it stops; here a
// line that can't be done undoes them all.
import { FairleadError } from '../../model/error.ts';
import { destinationSubject, type Edit, requireService, serviceKey } from '../../model/table.ts';
import { editsOf } from './edits.ts';
import type { Host } from './host.ts';
import { type Invocation, identityOf, readInvocation } from './invocation.ts';
import { failureStatus, Refusal, textOf } from './refusal.ts';

export interface Restoration {
  /** Of all lines. */
  readonly invocations: readonly Invocation[];
  readonly edits: readonly Edit[];
  /** --set and -Z touch no table: they are done in their order once the table is in force. */
  readonly afterwards: readonly Invocation[];
  /** What went wrong with the table as a whole, with the line that is to blame if one is. */
  blame(error: unknown): unknown;
}

interface Line {
  /** From 0. */
  readonly at: number;
  readonly text: string;
}

export async function readRestoration(text: string, host: Host): Promise<Restoration> {
  const edits: Edit[] = [];
  const invocations: Invocation[] = [];
  const lines = new Map<string, Line>();
  for (const [at, whole] of text.split('\n').entries()) {
    const words = whole.split(/[ \t\r]+/).filter((word) => word !== '');
    if (words.length === 0) continue;
    const line: Line = { at, text: whole };
    try {
      const invocation = await readInvocation(words, host);
      edits.push(...editsWithin(invocation).map((edit) => locate(edit, line)));
      invocations.push(invocation);
      const subject = subjectOf(invocation);
      if (invocation.command === 'add-service' || invocation.command === 'add-server' || !lines.has(subject))
        lines.set(subject, line);
    } catch (error) {
      throw atLine(error, line);
    }
  }
  return {
    edits,
    invocations,
    afterwards: invocations.filter(comesAfterwards),
    blame(error) {
      const line = error instanceof FairleadError ? lines.get(error.subject ?? '') : undefined;
      return line === undefined ? error : atLine(error, line);
    },
  };
}

/** As errors name it. */
function subjectOf(invocation: Invocation): string {
  const { rip, rport: port } = invocation;
  const identity = identityOf(invocation);
  if (identity === undefined) return '';
  return rip === undefined ? serviceKey(identity) : destinationSubject(identity, { rip, port });
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

function locate(edit: Edit, line: Line): Edit {
  return (draft) => {
    try {
      edit(draft);
    } catch (error) {
      throw atLine(error, line);
    }
  };
}

const longestEcho = 200;

function atLine(error: unknown, { at, text }: Line): unknown {
  if (!(error instanceof FairleadError) || error instanceof LineRefusal) return error;
  const [reason = '', ...more] = textOf(error).trimEnd().split('\n').map(shown);
  const message = [`line ${at + 1}: ${shown(text.trim())}: ${reason}`, ...more, 'Nothing has been changed.'];
  return new LineRefusal(failureStatus, message.join('\n'), error.code);
}

/** One that tells its line already. */
class LineRefusal extends Refusal {}

/** What came from a file may be anything: a terminal gets no control characters from it, and no more than it can show. */
function shown(text: string): string {
  const cut = text.length > longestEcho ? `${text.slice(0, longestEcho)}...` : text;
  return cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (letter) => `\\x${letter.codePointAt(0)?.toString(16).padStart(2, '0')}`);
}
