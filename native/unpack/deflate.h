/* gzip the other way: encoders, opened at run time as the codecs are. */
#ifndef TSDOCKER_DEFLATE_H
#define TSDOCKER_DEFLATE_H

#include "codecs.h"

struct encoder {
  /* Loads the library and begins; false where it is not installed, or is not as declared here. */
  bool (*load)(void);
  /* STEP_MEMBER_END when all has come out that went in; `last` once nothing more will. */
  enum step (*step)(struct flow *flow, bool last);
};

/* The best there is here; NULL for none. The same bytes give the same archive on one machine. */
const struct encoder *deflate_encoder(void);

#endif
