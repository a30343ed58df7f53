// Rows as bars with their spread, one chart a unit, in one SVG image.
import { type Facts, quantile, type Row } from '../row.ts';
import { formatNumber, label } from './table.ts';

const width = 960;
const barHeight = 18;
const headHeight = 64;
const axisHeight = 40;
const labelWidth = 300;
/** From so many times the median on, what is longest would hide all others: a logarithmic axis. */
const wide = 20;

interface Panel {
  readonly unit: string;
  readonly rows: readonly Row[];
  readonly top: number;
  readonly height: number;
}

export async function drawChart(title: string, subtitle: string, rows: readonly Row[]): Promise<string> {
  const { init } = await import('echarts');
  const panels = layOut(rows);
  const height = panels.reduce((sum, panel) => Math.max(sum, panel.top + panel.height + axisHeight), headHeight);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      title: { text: title, subtext: subtitle, left: 8, subtextStyle: { width: width - 16, overflow: 'break' } },
      grid: panels.map(({ top, height: tall }) => ({ left: labelWidth, right: 80, top, height: tall })),
      xAxis: panels.map(toScale),
      yAxis: panels.map(toNames),
      series: panels.flatMap(toBars),
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function layOut(rows: readonly Row[]): readonly Panel[] {
  const units = [...new Set(rows.map(({ unit }) => unit))];
  let top = headHeight;
  return units.map((unit) => {
    const own = rows.filter((row) => row.unit === unit);
    const panel = { unit, rows: own, top, height: own.length * barHeight };
    top += panel.height + axisHeight + barHeight;
    return panel;
  });
}

function toScale({ unit, rows }: Panel, gridIndex: number): object {
  const values = rows.map(({ median }) => median);
  const isLog = Math.min(...values) > 0 && Math.max(...values) > wide * quantile(values, 0.5);
  return {
    ...{ gridIndex, name: unit, nameLocation: 'end', axisLabel: { fontSize: 10 } },
    ...(isLog ? { type: 'log', min: 10 ** Math.floor(Math.log10(Math.min(...values))) } : { type: 'value', min: 0 }),
  };
}

function toNames({ rows }: Panel, gridIndex: number): object {
  const data = rows.map((row) => `${label(row)}${formatFacts(row)}`);
  return { gridIndex, type: 'category', inverse: true, data, axisLabel: { interval: 0, fontSize: 10 } };
}

/** A bar is as long as the median; a line within it goes from the first quartile to the third. */
function toBars({ rows }: Panel, index: number): readonly object[] {
  const axes = { xAxisIndex: index, yAxisIndex: index };
  const text = ({ dataIndex }: { readonly dataIndex: number }): string => formatNumber(rows[dataIndex]?.median ?? 0);
  return [
    {
      ...{ ...axes, type: 'bar', data: rows.map(({ median }) => median), itemStyle: { color: '#5b8db8' } },
      label: { show: true, position: 'right', fontSize: 10, formatter: text },
    },
    {
      ...{ ...axes, type: 'custom', z: 3, data: rows.map(({ low, high }, at) => [low, high, at]) },
      renderItem: (_: unknown, api: Api): object => {
        const [[from = 0, y = 0], [to = 0]] = [
          api.coord([api.value(0), api.value(2)]),
          api.coord([api.value(1), api.value(2)]),
        ];
        return { type: 'line', shape: { x1: from, y1: y, x2: to, y2: y }, style: { stroke: '#1d3a52', lineWidth: 2 } };
      },
    },
  ];
}

/** What echarts hands to renderItem, as far as it is used. */
interface Api {
  value(dimension: number): number;
  coord(point: readonly number[]): readonly number[];
}

function formatFacts({ flows, destinations, services, lines, cores }: Facts): string {
  const facts = Object.entries({ flows, destinations, services, lines, cores });
  return facts
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `, ${value} ${name}`)
    .join('');
}
