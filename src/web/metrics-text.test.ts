import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Histogram } from '../core/base/histogram.ts';
import { labels, MetricsText } from './metrics-text.ts';

test('a family stands with its help, its type and its samples', () => {
  const text = new MetricsText();
  text.add('mx8_x_total', 'counter', 'What it counts.', [
    [labels({ job_id: 'j' }), 3],
    [labels({ job_id: 'k' }), 0],
  ]);
  text.add('mx8_y', 'gauge', 'A figure.', 1.5);
  text.add('mx8_none', 'gauge', 'Nobody has it.', []);
  assert.equal(
    text.toString(),
    [
      '# HELP mx8_x_total What it counts.',
      '# TYPE mx8_x_total counter',
      'mx8_x_total{job_id="j"} 3',
      'mx8_x_total{job_id="k"} 0',
      '# HELP mx8_y A figure.',
      '# TYPE mx8_y gauge',
      'mx8_y 1.5',
      '',
    ].join('\n'),
  );
});

test('quotes, backslashes and line ends in labels and helps are escaped', () => {
  assert.equal(labels({ a: 'x"y\\z\n' }), '{a="x\\"y\\\\z\\n"}');
  const text = new MetricsText();
  text.add('mx8_x', 'gauge', 'one\ntwo \\ three', 1);
  assert.match(text.toString(), /^# HELP mx8_x one\\ntwo \\\\ three$/m);
});

test('a histogram has cumulative buckets up to +Inf, a sum and a count', () => {
  const histogram = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.5, 7]) histogram.observe(value);
  const text = new MetricsText();
  text.addHistograms('mx8_t_seconds', 'Times.', [{ labels: labels({ m: 'a' }), histogram }]);
  assert.deepEqual(text.toString().split('\n').slice(2, -1), [
    'mx8_t_seconds_bucket{m="a",le="0.1"} 1',
    'mx8_t_seconds_bucket{m="a",le="1"} 2',
    'mx8_t_seconds_bucket{m="a",le="+Inf"} 3',
    'mx8_t_seconds_sum{m="a"} 7.55',
    'mx8_t_seconds_count{m="a"} 3',
  ]);
});
