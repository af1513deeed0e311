/** The option `tag`: a Go template over what Docker tells its log drivers of a container. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerRecord } from '../containers/record.js';

/** The part of a record that tags and attributes speak of. */
export type TaggedContainer = Pick<
  ContainerRecord,
  'id' | 'name' | 'config' | 'imageId' | 'imageName' | 'path' | 'args'
>;

/** Characters of a short id. */
const shortId = 12;
const withoutAlgorithm = (digest: string): string => digest.replace(/^sha256:/, '');

const fields: Readonly<Record<string, (container: TaggedContainer) => string>> = {
  ID: ({ id }) => id.slice(0, shortId),
  FullID: ({ id }) => id,
  ContainerID: ({ id }) => id,
  Name: ({ name }) => name,
  ContainerName: ({ name }) => `/${name}`,
  ImageID: ({ imageId }) => withoutAlgorithm(imageId).slice(0, shortId),
  ImageFullID: ({ imageId }) => imageId,
  ContainerImageID: ({ imageId }) => imageId,
  ImageName: ({ imageName }) => imageName,
  ContainerImageName: ({ imageName }) => imageName,
  ContainerEntrypoint: ({ path }) => path,
  Command: ({ path, args }) => [path, ...args].join(' '),
  DaemonName: () => 'docker',
  Hostname: ({ config }) => config.Hostname ?? '',
};

type Part = string | { readonly field: string } | { readonly label: string };

function partOf(action: string, column: number): Part {
  const field = /^\.([A-Za-z]+)$/.exec(action)?.[1];
  if (field !== undefined) {
    if (field in fields) return { field };
    throw invalidParameter(
      `template: log-tag:1:${column}: executing "log-tag" at <.${field}>: ` +
        `can't evaluate field ${field} in type *logger.Info`,
    );
  }
  const label = /^index\s+\.ContainerLabels\s+"([^"]*)"$/.exec(action)?.[1];
  if (label !== undefined) return { label };
  throw invalidParameter(`template: log-tag:1: unexpected {{${action}}}: a field is expected`);
}

function parse(template: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of template.matchAll(/\{\{-?\s*(.*?)\s*-?\}\}/g)) {
    parts.push(template.slice(at, match.index), partOf(match[1] ?? '', match.index + 2));
    at = match.index + match[0].length;
  }
  const rest = template.slice(at);
  if (rest.includes('{{')) throw invalidParameter('template: log-tag:1: unclosed action');
  return [...parts, rest];
}

/** Throws `ApiError` 400 for a tag that could not be made. */
export function checkTag(template: string | undefined): void {
  if (template !== undefined) parse(template);
}

/** The tag of a container's lines. Throws as `checkTag` does. */
export function tagOf(template: string, container: TaggedContainer): string {
  return parse(template)
    .map((part) => {
      if (typeof part === 'string') return part;
      if ('label' in part) return container.config.Labels?.[part.label] ?? '';
      return fields[part.field]?.(container) ?? '';
    })
    .join('');
}
