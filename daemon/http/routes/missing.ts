/** Members of a service that are not there yet. */
import { notImplemented } from '../../../api-spec/errors.js';
import type { OperationId } from '../../../api-spec/operations/index.js';

type Present<Member> = Exclude<Member, undefined>;

/** The member, bound to its service; `ApiError` 501 that names the operation when it is missing. */
export function unlessMissing<Service extends object, Name extends keyof Service>(
  service: Service,
  name: Name,
  operationId: OperationId,
): Present<Service[Name]> {
  const member = service[name];
  if (typeof member !== 'function') {
    throw notImplemented(`${operationId} is not implemented by this engine`);
  }
  // A bound function takes and returns what the function does.
  return member.bind(service) as Present<Service[Name]>;
}
