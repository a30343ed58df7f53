// Which of some words a mistyped one was meant to be.

/** undefined when none is near: when more than a third of it would have to change. */
export function nearestWord(typed: string, words: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.floor(typed.length / 3) + 1;
  for (const word of words) {
    const distance = editDistance(typed, word);
    if (distance < least) [nearest, least] = [word, distance];
  }
  return nearest;
}

/** Letters to insert, delete or replace (Levenshtein). */
export function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...a].entries()) {
    const line = [row + 1];
    for (let column = 0; column < b.length; column++) {
      const replaced = (above[column] ?? 0) + (b[column] === letter ? 0 : 1);
      line.push(Math.min(replaced, (above[column + 1] ?? 0) + 1, (line[column] ?? 0) + 1));
    }
    above = line;
  }
  return above[b.length] ?? 0;
}
