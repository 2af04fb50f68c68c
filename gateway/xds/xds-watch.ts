import type { Message } from '@bufbuild/protobuf';

/** A kind of resource that xDS carries. */
export interface XdsType<Resource extends Message = Message> {
  /** Full name of the message. */
  readonly typeName: Resource['$typeName'];
  /** What the resource calls itself: state-of-the-world responses carry no names of their own. */
  nameOf(resource: Resource): string;
}

/** Someone who wants one resource by its name. */
export interface XdsWatch {
  readonly name: string;
  /**
   * The resource as it is now; `version` is the response's. `told` is called once, maybe before this returns: with '' when the
   * resource is in force, else with why it is refused, which the server is told.
   */
  onResource(resource: Message, version: string, told: (problem: string) => void): void;
  /** The server says that the resource is gone (incremental only). */
  onRemoved(version: string): void;
  /** What came cannot be read, so that it did not get to `onResource`. */
  onRejected(why: string): void;
  /** The stream failed, or could not be opened; another is opened after a while. */
  onConnectionFailure(why: string): void;
}

/** Follows resources on one stream to a control plane. */
export interface XdsMux {
  /** Begins; `watch` is told until `unwatch`. The first watch opens the stream. */
  watch(type: XdsType, watch: XdsWatch): void;
  unwatch(type: XdsType, watch: XdsWatch): void;
  /** Ends the stream. */
  close(): void;
}
