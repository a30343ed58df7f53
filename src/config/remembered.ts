// Services of the configuration that was read last: what is written as it was then is the same again, and not made a second time.
import type { DeclaredService } from '../model/declared.ts';

/** What one entry of `services` declares: a service for each of its VIPs and protocols. */
export type Declares = readonly DeclaredService[];

export interface News {
  /** The configuration with those entries alone that are not known. */
  readonly value: unknown;
  /** By entry of the whole one; undefined where it is one of the news. */
  readonly services: readonly (Declares | undefined)[];
  /** By entry of the whole one. */
  remember(services: readonly Declares[]): void;
}

export class Remembered {
  /** By what is written. */
  #services: ReadonlyMap<string, Declares> = new Map();
  #defaults = '';

  /** undefined of what has no list of services. */
  news(value: unknown): News | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    const { services: entries, defaults = null } = value as { services?: unknown; defaults?: unknown };
    if (!Array.isArray(entries)) return undefined;
    const texts = entries.map((entry) => JSON.stringify(entry));
    const writtenDefaults = JSON.stringify(defaults);
    const known = writtenDefaults === this.#defaults ? this.#services : new Map<string, Declares>();
    const services = texts.map((text) => known.get(text));
    return {
      value: { ...value, services: entries.filter((_, index) => services[index] === undefined) },
      services,
      remember: (all) => {
        this.#defaults = writtenDefaults;
        this.#services = new Map(all.map((declares, index) => [texts[index] ?? '', declares]));
      },
    };
  }
}
