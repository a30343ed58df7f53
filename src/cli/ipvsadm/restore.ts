// `ipvsadm -R`: many command lines as one transaction. ipvsadm runs them one by one and stops wherever it stops; here a
// line that can't be done undoes them all.
import { FairleadError } from '../../model/error.ts';
import { type Draft, destinationSubject, type Edit, requireService, serviceKey } from '../../model/table.ts';
import { editsOf } from './edits.ts';
import type { Host } from './host.ts';
import { type Invocation, openReader, type Reader } from './invocation.ts';
import { failureStatus, Refusal, textOf } from './refusal.ts';

export interface Restoration {
  /** All lines', as one. */
  readonly edits: readonly Edit[];
  /** Those that were asked for. */
  readonly doubtful: readonly Invocation[];
  /** --set and -Z touch no table: they are done in their order once the table is in force. */
  readonly afterwards: readonly Invocation[];
  /** What went wrong with the table as a whole, with the line that is to blame if one is. */
  blame(error: unknown): Promise<unknown>;
}

interface Line {
  /** From 0. */
  readonly at: number;
  readonly text: string;
  readonly words: readonly string[];
}

/** What a line says is not kept but in its edit, and if it is `isDoubtful`: there may be 100,000. */
export async function readRestoration(
  text: string,
  host: Host,
  isDoubtful: (invocation: Invocation) => boolean,
): Promise<Restoration> {
  const texts = text.split('\n');
  const read = openReader(host);
  const edits: LocatedEdit[] = [];
  const doubtful: Invocation[] = [];
  const afterwards: Invocation[] = [];
  for (const line of linesOf(texts)) {
    try {
      const reading = read(line.words);
      const invocation = reading instanceof Promise ? await reading : reading;
      for (const edit of editsWithin(invocation)) edits.push({ edit, at: line.at });
      if (isDoubtful(invocation)) doubtful.push(invocation);
      if (comesAfterwards(invocation)) afterwards.push(invocation);
    } catch (error) {
      throw atLine(error, line);
    }
  }
  return {
    edits: edits.length === 0 ? [] : [(draft) => makeEdits(draft, edits, texts)],
    doubtful,
    afterwards,
    async blame(error) {
      const subject = error instanceof FairleadError ? error.subject : undefined;
      const line = subject === undefined ? undefined : await findLine(linesOf(texts), read, subject);
      return line === undefined ? error : atLine(error, line);
    },
  };
}

interface LocatedEdit {
  readonly edit: Edit;
  readonly at: number;
}

/** Those that say anything. */
function* linesOf(texts: readonly string[]): Generator<Line> {
  for (const [at, text] of texts.entries()) {
    const words = text.match(/[^ \t\r]+/g);
    if (words !== null) yield { at, text, words };
  }
}

function makeEdits(draft: Draft, edits: readonly LocatedEdit[], texts: readonly string[]): void {
  for (const { edit, at } of edits) {
    try {
      edit(draft);
    } catch (error) {
      throw atLine(error, { at, text: texts[at] ?? '' });
    }
  }
}

/** The last one that adds what the error is about, or else the first that names it. */
async function findLine(lines: Iterable<Line>, read: Reader, subject: string): Promise<Line | undefined> {
  let found: Line | undefined;
  for (const line of lines) {
    const invocation = await read(line.words);
    if (subjectOf(invocation) !== subject) continue;
    if (found === undefined || invocation.command === 'add-service' || invocation.command === 'add-server')
      found = line;
  }
  return found;
}

/** As errors name it. */
function subjectOf({ identity, rip, rport: port }: Invocation): string {
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
  const zeroed = invocation.command === 'zero' ? invocation.identity : undefined;
  return zeroed === undefined ? [] : [requireService(zeroed)];
}

const longestEcho = 200;

function atLine(error: unknown, { at, text }: Pick<Line, 'at' | 'text'>): unknown {
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
