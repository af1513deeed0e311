/** Where the control groups of containers are, by who makes them. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerRecord } from '../containers/record.js';
import { parseScope } from './cgroup/scope-name.js';

/** Who makes the groups. */
export type CgroupDriver = 'cgroupfs' | 'systemd';

/** Paths are relative to the hierarchies. */
export interface GroupPlaces {
  /** Above all groups that are nobody else's. */
  readonly parent: string;
  /** What a container's group is called there. */
  readonly nameOf: (id: string) => string;
  /** Throws `ApiError` 400, in Docker's words, for a `CgroupParent` that cannot be one. */
  readonly pathOf: (record: Pick<ContainerRecord, 'id' | 'hostConfig'>) => string;
}

/** `rootId` is in the parent's name: so each daemon knows its own. Pure. */
export function groupPlaces(driver: CgroupDriver, rootId: string): GroupPlaces {
  const name = `tsdocker-${rootId}`;
  return driver === 'systemd' ? slices(`${name}.slice`) : folders(`/${name}`);
}

function folders(parent: string): GroupPlaces {
  return {
    parent,
    nameOf: (id) => id,
    pathOf: ({ id, hostConfig: { CgroupParent: given = '' } }) => {
      const parts = (given === '' ? parent : given)
        .split('/')
        .filter((part) => part !== '' && part !== '.' && part !== '..');
      return `/${[...parts, id].join('/')}`;
    },
  };
}

function slices(slice: string): GroupPlaces {
  const pathOf: GroupPlaces['pathOf'] = ({ id, hostConfig: { CgroupParent: given = '' } }) => {
    const scope = parseScope(`${given === '' ? slice : given}:tsdocker:${id}`);
    if (scope === undefined) {
      throw invalidParameter(
        'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"',
      );
    }
    return scope.path;
  };
  const any = pathOf({ id: '0', hostConfig: {} });
  return {
    parent: any.slice(0, any.lastIndexOf('/')),
    nameOf: (id) => `tsdocker-${id}.scope`,
    pathOf,
  };
}
