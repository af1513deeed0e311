/** Limits that only bundles of others ask for: what the kernel lacks of them is an error. Pure. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { OciRdmaLimits, OciResources } from '../oci.js';
import type { ControlWrite } from './files.js';

type Line = readonly [controller: string, file: string, value: number | string | undefined];

const writesOf = (lines: readonly Line[]): readonly ControlWrite[] =>
  lines.flatMap(([controller, file, value]) =>
    value === undefined ? [] : [{ controller, file, value: String(value), required: true }],
  );

/** Throws `ApiError` for what only version 2 has. */
export function v1RareWrites(resources: OciResources): readonly ControlWrite[] {
  const { cpu, hugepageLimits, network, rdma, unified } = resources;
  const [file] = Object.keys(unified ?? {});
  if (file !== undefined) {
    throw invalidParameter(`${file} is of cgroup version 2, and this machine has version 1`);
  }
  return writesOf([
    ['cpu', 'cpu.cfs_burst_us', cpu?.burst],
    ['cpu', 'cpu.idle', cpu?.idle],
    ...(hugepageLimits ?? []).map(({ pageSize, limit }): Line =>
      ['hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limit]),
    ['net_cls', 'net_cls.classid', network?.classID],
    ...(network?.priorities ?? []).map(({ name, priority }): Line =>
      ['net_prio', 'net_prio.ifpriomap', `${name} ${priority}`]),
    ...rdmaLines(rdma),
  ]);
}

/** Throws `ApiError` for what only version 1 has, and for names that are no files. */
export function v2RareWrites(resources: OciResources): readonly ControlWrite[] {
  const { cpu, hugepageLimits, network, rdma, unified } = resources;
  if (network?.classID !== undefined || (network?.priorities ?? []).length > 0) {
    throw invalidParameter('packets are marked by cgroup version 1 only');
  }
  return writesOf([
    ['cpu', 'cpu.max.burst', cpu?.burst],
    ['cpu', 'cpu.idle', cpu?.idle],
    ...(hugepageLimits ?? []).map(({ pageSize, limit }): Line =>
      ['hugetlb', `hugetlb.${pageSize}.max`, limit < 0 ? 'max' : limit]),
    ...rdmaLines(rdma),
    ...Object.entries(unified ?? {}).map(([file, value]): Line => {
      if (!/^[a-z][\w.]*\.[\w.]+$/i.test(file)) {
        throw invalidParameter(`${file} is no file of a control group`);
      }
      return [file.slice(0, file.indexOf('.')), file, value];
    }),
  ]);
}

function rdmaLines(rdma: Readonly<Record<string, OciRdmaLimits>> | undefined): readonly Line[] {
  return Object.entries(rdma ?? {}).map(([device, { hcaHandles, hcaObjects }]): Line => [
    'rdma', 'rdma.max',
    `${device} hca_handle=${hcaHandles ?? 'max'} hca_object=${hcaObjects ?? 'max'}`,
  ]);
}
