// The terminal while top is on it: a screen of its own, keys one by one, and all as it was when that ends.
import type { Size } from './screen.ts';

const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';

export interface Terminal extends Disposable {
  size(): Size;
  show(lines: readonly string[]): void;
}

export interface Listeners {
  readonly onKey: (key: string) => void;
  readonly onResize: () => void;
  /** The terminal is gone, or somebody ends us. */
  readonly onEnd: () => void;
}

/** Whether there is one that can move its cursor. */
export function isTerminal(): boolean {
  return process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== 'dumb';
}

export function openTerminal({ onKey, onResize, onEnd }: Listeners): Terminal {
  const { stdin, stdout } = process;
  const hear = (text: string): void => {
    for (const key of toKeys(text)) onKey(key);
  };
  const signals = ['SIGTERM', 'SIGHUP', 'SIGINT'] as const;
  stdin.setRawMode(true).setEncoding('utf8').on('data', hear).on('end', onEnd).resume();
  stdout.on('resize', onResize).on('error', onEnd);
  for (const signal of signals) process.on(signal, onEnd);
  stdout.write(enter);
  return {
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    show: (lines) => stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`),
    [Symbol.dispose]() {
      stdin.off('data', hear).off('end', onEnd).setRawMode(false).pause();
      stdout.off('resize', onResize);
      for (const signal of signals) process.off(signal, onEnd);
      stdout.write(leave);
    },
  };
}

/** What comes at once may be several keys: characters, and sequences that begin with Escape. */
export function toKeys(text: string): readonly string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal sends
  return text.match(/\x1b\[[0-9;]*[A-Za-z~]|[\s\S]/g) ?? [];
}
