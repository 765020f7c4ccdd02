#ifndef CSPOOLBASELINE_H
#define CSPOOLBASELINE_H
#include <stddef.h>
#include <stdint.h>

/* One message as the tables of the spool hold it. */
struct baseline_message {
    const unsigned char *id;     /* 32 bytes */
    const unsigned char *digest; /* 32 bytes */
    const unsigned char *body;
    size_t size;
    int64_t destination; /* row of spool_party */
    int64_t owner;       /* row of spool_party, 0: none */
};

struct baseline_result {
    double seconds;
    int64_t groups;
    int64_t syncs;
    double sync_seconds; /* of `seconds`, spent in them */
    char error[256]; /* empty: it worked */
};

/*
 * Writes messages into the spool's own tables, made before by the spool itself, with its PRAGMAs and as many ids an era:
 * plain SQLite, one transaction and one synchronisation a group, statements prepared once. Parties must be there.
 */
void baseline_write(const char *path, const struct baseline_message *messages, size_t count, size_t group,
                    struct baseline_result *result);

/*
 * Has every synchronisation that SQLite asks for counted from now on, by whomever in this process; to be called before
 * a database is opened. Returns 0 if it worked.
 */
int baseline_count_syncs(void);
int64_t baseline_syncs(void);
double baseline_sync_seconds(void);

#endif
