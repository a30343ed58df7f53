// What is timed, as a shell script: the same for Fairlead's ipvsadm and the real one, here and in the emulated machine.

export interface ScriptOptions {
  readonly ipvsadm: string;
  /** Its file of a table of so many lines. */
  readonly table: (lines: number) => string;
  readonly lines: readonly number[];
  readonly runs: number;
  /** Before each first restore, so that it finds nothing. */
  readonly reset: string;
}

/** Prints `STEP LINES MICROSECONDS`. The first restore makes what a director needs; the second finds an empty table. */
export function timingScript({ ipvsadm, table, lines, runs, reset }: ScriptOptions): string {
  return `
    timed() {
      local step=$1 start=$EPOCHREALTIME end
      shift 2
      "$@" || exit 1
      end=$EPOCHREALTIME
      echo "$step $lines $(( \${end/./} - \${start/./} ))"
    }
    restore() { ${ipvsadm} -R <"$1"; }
    list() { ${ipvsadm} -Ln >/dev/null; }
    save() { ${ipvsadm} -S -n >/dev/null; }
    for run in ${Array.from({ length: runs }, (_, run) => run).join(' ')}; do
      ${lines
        .map(
          (count) => `
      lines=${count}
      ${reset}
      timed first-restore : restore ${table(count)}
      timed list : list
      timed save : save
      ${ipvsadm} -C
      timed restore : restore ${table(count)}
      ${ipvsadm} -C
      timed start : list`,
        )
        .join('\n')}
    done`;
}

/** By step and lines: seconds of each run. */
export function readTimings(text: string): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const [, step = '', lines = '', us = ''] of text.matchAll(/^(\S+) (\d+) (\d+)$/gm)) {
    const key = timingKey(step, Number(lines));
    found.set(key, [...(found.get(key) ?? []), Number(us) / 1e6]);
  }
  return found;
}

export function timingKey(step: string, lines: number): string {
  return `${step} ${lines}`;
}
