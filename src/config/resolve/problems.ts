// What is found wrong while a configuration is made whole: all of it, not only the first.
import { FairleadError } from '../../model/error.ts';
import type { Path, Problem } from '../problem.ts';

export interface Problems {
  readonly found: readonly Problem[];
  add(path: Path, message: string): void;
  /** That something is there twice: at `path`, and first at `before`. */
  again(path: Path, before: Path, message: string): void;
  /** What `work` throws because of the configuration is a problem with the value at `path`; undefined is returned then. */
  catching<Value>(path: Path, work: () => Value): Value | undefined;
}

export function collectProblems(): Problems {
  const found: Problem[] = [];
  const add = (path: Path, message: string): void => void found.push({ path, message });
  return {
    found,
    add,
    again: (path, before, message) => void found.push({ path, message, before }),
    catching(path, work) {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof FairleadError)) throw error;
        add(path, error.message);
        return undefined;
      }
    },
  };
}
