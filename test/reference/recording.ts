// Recordings of the real ipvsadm 1.31 on the kernel's IPVS (test/fixtures/ipvsadm): what was run, and what it printed.
import { readFileSync } from 'node:fs';

export interface Recorded {
  /** The file's own number, or P1, P2 ... for those run under traffic. */
  readonly id: string;
  readonly section: string;
  readonly command: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

export function readRecording(name: string): readonly Recorded[] {
  const text = readFileSync(new URL(`../fixtures/ipvsadm/${name}.txt`, import.meta.url), 'utf8');
  const recorded: Recorded[] = [];
  let section = '';
  let unnumbered = 0;
  // A closing mark, so that the last entry ends like all others.
  for (const piece of `${text}=== `.split(/^(?=(?:=== |##### ))/m)) {
    section = /^##### (.*)/.exec(piece)?.[1] ?? section;
    const match = /^=== (\S+) \$ (.*?)\n--- stdout\n(.*?)--- stderr\n(.*?)--- exit ([0-9]+)\n/s.exec(piece);
    if (match === null) continue;
    const [, number = '', command = '', stdout = '', stderr = '', status] = match;
    if (number === 'P') unnumbered += 1;
    const id = number === 'P' ? `P${unnumbered}` : number;
    recorded.push({ id, section, command, stdout, stderr, status: Number(status) });
  }
  return recorded;
}

/** bignum.txt has commands and their output only; lines that are no ipvsadm command are left out. */
export function readTranscript(name: string): readonly Pick<Recorded, 'command' | 'stdout'>[] {
  const text = readFileSync(new URL(`../fixtures/ipvsadm/${name}.txt`, import.meta.url), 'utf8');
  return text.split(/^\$ /m).flatMap((piece) => {
    const [command = '', ...lines] = piece.replace(/^#.*\n/gm, '').split('\n');
    return command.startsWith('ipvsadm') ? [{ command: command.trim(), stdout: lines.join('\n') }] : [];
  });
}
