/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_dirty.h"

#include <stddef.h>

#define PERIOD_S      1
#define BYTES_PER_MIB (UINT64_C(1024) * 1024)
#define MIB_S_MAX     (INT64_C(1) << 30) /* More than any memory can take. */

bool libvirt_dirty_begin(virDomainPtr domain)
{
    return virDomainStartDirtyRateCalc(domain, PERIOD_S, 0) == 0;
}

static bool read_record(const virDomainStatsRecord *record, uint64_t *bytes_s)
{
    int status = VIR_DOMAIN_DIRTYRATE_UNSTARTED;
    long long mib_s = -1;

    (void)virTypedParamsGetInt(record->params, record->nparams, "dirtyrate.calc_status", &status);
    (void)virTypedParamsGetLLong(record->params, record->nparams, "dirtyrate.megabytes_per_second",
                                 &mib_s);
    if (status != VIR_DOMAIN_DIRTYRATE_MEASURED || mib_s < 0 || mib_s > MIB_S_MAX) {
        return false;
    }
    *bytes_s = (uint64_t)mib_s * BYTES_PER_MIB;
    return true;
}

bool libvirt_dirty_read(virDomainPtr domain, uint64_t *bytes_s)
{
    virDomainPtr domains[] = { domain, NULL };
    virDomainStatsRecordPtr *records = NULL;
    int count = virDomainListGetStats(domains, VIR_DOMAIN_STATS_DIRTYRATE, &records, 0);
    bool known = count == 1 && read_record(records[0], bytes_s);

    virDomainStatsRecordListFree(records);
    return known;
}
