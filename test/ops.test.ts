/** The shape of what lies in `ops/`; that its metrics are there is tested against running processes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readText, repositoryFiles } from './support/tidy/sources.ts';

test('every alert has a test, a summary, a description and an action', () => {
  const rules = readText('ops/alerts.yml')
    .split(/^ {6}- alert: /m)
    .slice(1);
  const tests = readText('ops/alerts-tests.yml');
  assert.ok(rules.length >= 10);
  for (const rule of rules) {
    const name = rule.split('\n')[0] ?? '';
    assert.match(tests, new RegExp(`\\b${name}\\b`), `${name} is in the tests`);
    for (const field of ['summary', 'description', 'action', 'severity']) {
      assert.match(rule, new RegExp(`^ +${field}: `, 'm'), `${name} has ${field}`);
    }
  }
});

test('the dashboard is one object whose panels have targets and do not overlap', () => {
  const dashboard = JSON.parse(readText('ops/grafana-dashboard.json')) as {
    readonly panels: readonly {
      readonly id: number;
      readonly title: string;
      readonly type: string;
      readonly gridPos: {
        readonly x: number;
        readonly y: number;
        readonly w: number;
        readonly h: number;
      };
      readonly targets?: readonly { readonly expr: string }[];
    }[];
  };
  const { panels } = dashboard;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = new Set<string>();
  for (const { title, type, gridPos, targets = [] } of panels) {
    assert.ok(type === 'row' || targets.length > 0, `${title} asks for something`);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(x < 24 && !cells.has(`${x} ${y}`), `${title} has its place to itself`);
        cells.add(`${x} ${y}`);
      }
    }
  }
  assert.ok(repositoryFiles().includes('ops/grafana-dashboard.json'));
});
