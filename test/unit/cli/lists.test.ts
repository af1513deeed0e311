import { test } from 'tap';
import { renderList, type ListShape } from '../../../cli/format/list.js';
import { portsText } from '../../../cli/format/ports.js';
import { goJson, indentJson } from '../../../cli/json-text.js';
import { naturalOrder } from '../../../cli/order.js';
import { layOut } from '../../../cli/table.js';

interface Row {
  readonly id: string;
  readonly name: string;
}

const shape: ListShape<Row> = {
  table: '{{.ID}}\t{{.Name}}',
  quiet: '{{.ID}}',
  goType: '*rowContext',
  columns: {
    Name: { heading: 'NAME', of: ({ name }) => name },
    ID: { heading: 'THE ID', of: ({ id }) => id },
  },
};
const rows: readonly Row[] = [
  { id: '1', name: 'a<b' },
  { id: '22222222222222', name: '' },
];
const list = (format: string, quiet = false): string => renderList(rows, shape, { format, quiet });

test('a table has its headings, padded columns and nothing behind the last one', async (t) => {
  t.equal(list(''), 'THE ID           NAME\n1                a<b\n22222222222222   \n');
});

test('a list of containers has a raw form, with the blanks of Docker', async (t) => {
  const raw = { ...shape, raw: 'id: {{.ID}}\nname: {{- pad .Name 1 0}}\n' };
  const shown = (quiet: boolean): string => renderList(rows, raw, { format: 'raw', quiet });
  t.equal(shown(false), 'id: 1\nname: a<b\n\nid: 22222222222222\nname:\n\n');
  t.equal(shown(true), 'id: 1\nid: 22222222222222\n');
});

test('a list can be quiet, JSON, a template, or a table of chosen columns', async (t) => {
  t.equal(list('', true), '1\n22222222222222\n');
  t.equal(list('json'), '{"ID":"1","Name":"a\\u003cb"}\n{"ID":"22222222222222","Name":""}\n');
  t.equal(list('{{.Name}}\\t{{upper .Name}}'), 'a<b\tA<B\n\t\n');
  t.equal(
    list('table {{upper .Name}}\\t{{.ID}}'),
    'NAME      THE ID\nA<B       1\n          22222222222222\n',
  );
});

test('a column that does not exist is reported with the type of the row', async (t) => {
  t.throws(() => list('{{.Foo}}'), {
    message:
      'failed to execute template: template: :1:2: executing "" at <.Foo>: can\'t evaluate ' +
        'field Foo in type *rowContext',
  });
});

test('a column ends where a line has no cell for it', async (t) => {
  const text = layOut('a\tb\tc\nlonger than ten\tb\tc\nalone\nx\ty\n', { minimum: 2, padding: 1 });
  t.equal(text, 'a               b c\nlonger than ten b c\nalone\nx y\n');
});

test('ports are joined into ranges, with both families', async (t) => {
  const tcp = { Type: 'tcp' };
  t.equal(
    portsText([
      { ...tcp, IP: '::', PrivatePort: 80, PublicPort: 8080 },
      { ...tcp, IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080 },
      { ...tcp, PrivatePort: 99 },
      { ...tcp, IP: '127.0.0.1', PrivatePort: 90, PublicPort: 90 },
      { ...tcp, IP: '127.0.0.1', PrivatePort: 91, PublicPort: 91 },
    ]),
    '127.0.0.1:90-91->90-91/tcp, 99/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp',
  );
});

test('indenting JSON changes no value', async (t) => {
  const text = '{"a":[],"b":{"c":9223372036854775807,"d":"\\u003c{[,:\\""},"e":[1,2]}';
  t.equal(
    indentJson(text, '  '),
    '{\n  "a": [],\n  "b": {\n    "c": 9223372036854775807,\n    "d": "\\u003c{[,:\\""\n  },\n ' +
      ' "e": [\n    1,\n    2\n  ]\n}',
  );
  t.equal(goJson('<&>'), '"\\u003c\\u0026\\u003e"');
});

test('names sort by the value of their digits', async (t) => {
  t.same(['n10', 'n9', 'a', 'n9b'].sort(naturalOrder), ['a', 'n9', 'n9b', 'n10']);
});
