import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';

/** What formats in routes may see: the heads so far and the stream. */
export class HeadFormatContext implements FormatterContext {
  readonly request: RequestHead | null;
  readonly response: ResponseHead | null;
  readonly trailers: HeaderMap | null;
  readonly streamInfo: StreamInfo;
  readonly localReplyBody: string;

  constructor(request: RequestHead | null, response: ResponseHead | null, streamInfo: StreamInfo, localReplyBody = '') {
    this.request = request;
    this.response = response;
    this.trailers = null;
    this.streamInfo = streamInfo;
    this.localReplyBody = localReplyBody;
  }
}
