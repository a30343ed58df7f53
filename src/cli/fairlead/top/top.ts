// fairlead top: services and destinations with what goes through them now, again and again; or once, as one table.
import type { Io } from '../io.ts';
import { readView } from '../view/view.ts';
import { type Sample, takeSample } from './sample.ts';
import { draw, press, type Screen } from './screen.ts';
import { formatTop, type Sort } from './table.ts';
import { isTerminal, openTerminal } from './terminal.ts';

export interface TopOptions {
  readonly sort: Sort;
  readonly reverse: boolean;
  readonly servicesOnly: boolean;
  readonly once: boolean;
  readonly intervalMs: number;
}

export async function runTop(io: Io, options: TopOptions): Promise<void> {
  const { sort, reverse, servicesOnly, once, intervalMs } = options;
  const screen = { sort, isReversed: reverse, isServicesOnly: servicesOnly, scroll: 0 };
  const first = takeSample(await readView(), Date.now(), undefined);
  if (once || !isTerminal())
    io.stdout.write(
      formatTop(first.rows, screen)
        .map((line) => `${line}\n`)
        .join(''),
    );
  else await watch(first, screen, intervalMs);
}

/** Until a key, a signal or the terminal ends it; rejects when nothing can be read any more. */
function watch(first: Sample, begin: Screen, intervalMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let [sample, screen] = [first, begin];
    let timer: NodeJS.Timeout | undefined;
    const show = (): void => terminal.show(draw(sample.rows, screen, terminal.size(), sample.atMs));
    const end = (finish: () => void): void => {
      if (timer === undefined) return; // it has ended already
      clearTimeout(timer);
      timer = undefined;
      terminal[Symbol.dispose]();
      finish();
    };
    const terminal = openTerminal({
      onKey(key) {
        const next = press(screen, key, sample.rows, terminal.size());
        if (next === undefined) return end(resolve);
        screen = next;
        show();
      },
      onResize: show,
      onEnd: () => end(resolve),
    });
    const goOn = async (): Promise<void> => {
      try {
        const view = await readView();
        if (timer === undefined) return;
        sample = takeSample(view, Date.now(), sample);
        show();
        timer = setTimeout(() => void goOn(), intervalMs);
      } catch (error) {
        if (timer !== undefined) end(() => reject(error));
      }
    };
    show();
    timer = setTimeout(() => void goOn(), intervalMs);
  });
}
