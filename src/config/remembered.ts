// Services of the configuration that was read last: what is written as it was then is the same again, and is not read a second time.
import type { DeclaredService } from '../model/declared.ts';

/** What one entry of `services` declares: a service for each of its VIPs and protocols. */
export type Declares = readonly DeclaredService[];

export interface News {
  /** The configuration with those entries alone that are not known. */
  readonly text: string;
  /** By entry of the whole one; undefined for each of the news. */
  readonly services: readonly (Declares | undefined)[];
  /** By entry of the whole one. */
  remember(services: readonly Declares[]): void;
}

/**
 * It goes by lines, and so needs YAML's plain part, of which each line says by itself what it is: the rest of a text of which it
 * took something away is still to be read as that.
 */
export class Remembered {
  /** By what is written. */
  #services: ReadonlyMap<string, Declares> = new Map();
  /** All that is written beside them, which may say what they have in common. */
  #frame = '';

  /** undefined of a text in which the entries are not easily found. */
  news(text: string): News | undefined {
    const found = findEntries(text);
    if (found === undefined) return undefined;
    const { before, entries, after } = found;
    const frame = `${before}\0${after}`;
    const known = frame === this.#frame ? this.#services : new Map<string, Declares>();
    const services = entries.map((entry) => known.get(entry));
    const news = entries.filter((_, index) => services[index] === undefined);
    return {
      text: news.length === 0 ? `${before}services: []\n${after}` : `${before}services:\n${news.join('')}${after}`,
      services,
      remember: (all) => {
        this.#frame = frame;
        this.#services = new Map(all.map((declares, index) => [entries[index] ?? '', declares]));
      },
    };
  }
}

interface Found {
  readonly before: string;
  /** Each with its lines' ends. */
  readonly entries: readonly string[];
  readonly after: string;
}

const heading = /^services: *\n/m;
const firstEntry = /^( +)- /;
/** What is not indented, and no comment. */
const nextKey = /^[^\s#]/m;

function findEntries(text: string): Found | undefined {
  const head = heading.exec(text);
  if (head === null || !text.endsWith('\n')) return undefined;
  const start = head.index + head[0].length;
  const end = start + (nextKey.exec(text.slice(start))?.index ?? text.length - start);
  const list = text.slice(start, end);
  const indent = firstEntry.exec(list)?.[1];
  if (indent === undefined) return undefined;
  const mark = `\n${indent}- `;
  const entries: string[] = [];
  for (let at = 0; at < list.length; ) {
    const next = list.indexOf(mark, at);
    const to = next < 0 ? list.length : next + 1;
    entries.push(list.slice(at, to));
    at = to;
  }
  return { before: text.slice(0, head.index), entries, after: text.slice(end) };
}
