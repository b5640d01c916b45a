/** Reads what `/metrics` answers, strictly: a line that Prometheus would not take is an error here. */
import assert from 'node:assert/strict';

export interface Exposition {
  /** Type by family. */
  readonly types: ReadonlyMap<string, string>;
  /** The value of a series, with its labels as they stand: `mx8_up` or `mx8_samples{job_id="j",state="leased"}`. */
  value(series: string): number | undefined;
  /** Every series of a name. */
  of(name: string): readonly (readonly [labels: string, value: number])[];
}

const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/;

export function parseExposition(text: string): Exposition {
  assert.ok(text.endsWith('\n'), 'the last line is ended');
  const types = new Map<string, string>();
  const values = new Map<string, Map<string, number>>();
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      assert.ok(!types.has(type[1] ?? ''), `${line} stands once`);
      types.set(type[1] ?? '', type[2] ?? '');
      continue;
    }
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    assert.notEqual(name, '', `a sample: ${line}`);
    const family = name.replace(/_(bucket|sum|count)$/, '');
    assert.ok(types.has(name) || types.get(family) === 'histogram', `${name} has a type`);
    const number = Number(value);
    assert.ok(Number.isFinite(number), `${line} has a number`);
    const series = values.get(name) ?? new Map<string, number>();
    assert.ok(!series.has(labels), `${line} stands once`);
    series.set(labels, number);
    values.set(name, series);
  }
  return {
    types,
    value: (series) => {
      const [, name = '', labels = ''] = /^([^{]+)(.*)$/.exec(series) ?? [];
      return values.get(name)?.get(labels);
    },
    of: (name) => [...(values.get(name) ?? [])],
  };
}
