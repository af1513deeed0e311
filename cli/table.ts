/** Column layout of Docker's lists: every cell is padded to its column, at least to `minimum`. */
export interface TableShape {
  readonly minimum: number;
  readonly padding: number;
}

const listShape: TableShape = { minimum: 10, padding: 3 };

/**
 * Lays out lines whose cells are separated by tabs. The text after the last tab of a line is not
 * a cell: it is printed as it is, so that lines do not end in blanks unless the cell is empty.
 * A column reaches over consecutive lines that have a cell there, as with Go's tabwriter.
 */
export function layOut(text: string, shape: TableShape = listShape): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const widths = lines.map((cells) => new Array<number>(Math.max(cells.length - 1, 0)).fill(0));
  measure({ lines, widths, shape, column: 0, from: 0, to: lines.length });
  return lines
    .map((cells, row) =>
      cells
        .map((cell, column) => pad(cell, column < cells.length - 1 ? widths[row]?.[column] : 0))
        .join(''),
    )
    .join('\n');
}

interface Block {
  readonly lines: readonly string[][];
  readonly widths: number[][];
  readonly shape: TableShape;
  readonly column: number;
  readonly from: number;
  readonly to: number;
}

function measure(block: Block): void {
  const { lines, column, to } = block;
  const reaches = (row: number): boolean => column < (lines[row]?.length ?? 0) - 1;
  let row = block.from;
  while (row < to) {
    if (!reaches(row)) {
      row++;
      continue;
    }
    let end = row;
    while (end < to && reaches(end)) end++;
    settle({ ...block, from: row, to: end });
    measure({ ...block, column: column + 1, from: row, to: end });
    row = end;
  }
}

function settle({ lines, widths, shape, column, from, to }: Block): void {
  let width = shape.minimum;
  for (let row = from; row < to; row++) {
    width = Math.max(width, visibleLength(lines[row]?.[column] ?? '') + shape.padding);
  }
  for (let row = from; row < to; row++) {
    const line = widths[row];
    if (line !== undefined) line[column] = width;
  }
}

function pad(cell: string, width = 0): string {
  return cell + ' '.repeat(Math.max(width - visibleLength(cell), 0));
}

function visibleLength(text: string): number {
  return [...text].length;
}
