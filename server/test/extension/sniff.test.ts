import assert from 'node:assert/strict';
import { mayBeOurs, planAtLine } from '../../../extension/src/sniff.ts';

describe('sniffing for plans', () => {
  it('knows a plan by its content, however the key is written', () => {
    for (const text of [
      'apiVersion: layerkv/v1',
      '# a comment\napiVersion:   "layerkv/v1"',
      '{"apiVersion": "layerkv/v2"}',
      'kind: ConfigMap\n---\napiVersion: layerkv/v1',
    ]) {
      assert.equal(mayBeOurs('/deploy/any.yaml', text), true, text);
    }
  });

  it('knows a plan by its file name, even when empty', () => {
    assert.equal(mayBeOurs('/deploy/chat.layerkv.yaml', ''), true);
    assert.equal(mayBeOurs('/deploy/chat.LayerKV.yml', ''), true);
  });

  it('leaves everything else alone', () => {
    assert.equal(mayBeOurs('/deploy/app.yaml', 'apiVersion: apps/v1\nkind: Deployment'), false);
    assert.equal(mayBeOurs('/layerkv.yaml/app.yaml', 'name: layerkv/v1'), false);
    assert.equal(mayBeOurs('/deploy/notlayerkv.yaml', ''), false);
  });
});

describe('the plan at the cursor', () => {
  const text = [
    '# two plans and a stranger', // 0
    '---', // 1
    'apiVersion: layerkv/v1', // 2
    'kind: ServingPlan', // 3
    '---', // 4
    'apiVersion: v1', // 5
    'kind: ConfigMap', // 6
    '--- # another', // 7
    'kind: ServingPlan', // 8
    'apiVersion: layerkv/v1', // 9
  ].join('\n');

  it('counts documents as YAML does: a first marker opens, later ones separate', () => {
    assert.equal(planAtLine(text, 2), 0);
    assert.equal(planAtLine(text, 3), 0);
    assert.equal(planAtLine(text, 8), 2);
    assert.equal(planAtLine(text, 9), 2);
  });

  it('names none in a document of another kind', () => {
    assert.equal(planAtLine(text, 5), undefined);
  });

  it('takes a separator as the start of what follows, and lines beyond the end as the last document', () => {
    assert.equal(planAtLine(text, 7), 2);
    assert.equal(planAtLine(text, 99), 2);
    assert.equal(planAtLine(text.replaceAll('\n', '\r\n'), 8), 2);
  });
});
