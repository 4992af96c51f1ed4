"""Wrong schedulers, for the self-test: each must be told from the right one by the differential
test.

Each entry makes, from a scheduler class, a subclass with one mistake of a kind that an
implementation could really make. Used by reference.py and run.py --self-test.
"""

from __future__ import annotations


def newcomer_to_the_back(base):
    class Mutant(base):
        def _register_engine(self, uid):
            super()._register_engine(uid)
            place = self.targets.index(uid)
            for column in (self.targets, self.loads):
                column.append(column.pop(place))

    return Mutant


def blacklist_forgotten(base):
    class Mutant(base):
        def handle_unmet_dependency(self, idents, parent):
            job = self.pending[idents[0]][parent['msg_id']]
            super().handle_unmet_dependency(idents, parent)
            job.blacklist.clear()

    return Mutant


def one_retry_more(base):
    class Mutant(base):
        def dispatch_submission(self, raw_msg):
            super().dispatch_submission(raw_msg)
            newest = next(reversed(self.retries))
            self.retries[newest] += 1

    return Mutant


def any_taken_for_all(base):
    class Mutant(base):
        def save_unmet(self, job):
            job.after.all = True
            super().save_unmet(job)

    return Mutant


def follow_ignored(base):
    class Mutant(base):
        def submit_task(self, job, indices=None):
            if job.follow and len(self.targets) > 1:
                indices = self.available_engines()
            super().submit_task(job, indices)

    return Mutant


def failure_counts_as_success(base):
    class Mutant(base):
        def handle_result(self, idents, parent, raw_msg, success=True):
            super().handle_result(idents, parent, raw_msg, True)

    return Mutant


def timeout_called_impossible(base):
    class Mutant(base):
        def job_timeout(self, job, timeout_id):
            if job.timeout_id == timeout_id and job.msg_id in self.queue_map:
                self.fail_unreachable(job.msg_id)

    return Mutant


def newest_waiting_first(base):
    class Mutant(base):
        def save_unmet(self, job):
            job.timestamp = -job.timestamp
            super().save_unmet(job)

    return Mutant


def dead_engine_stays(base):
    class Mutant(base):
        def handle_stranded_tasks(self, engine):
            for msg_id in self.pending[engine]:
                self.retries[msg_id] = 0
            super().handle_stranded_tasks(engine)

    return Mutant


def loads_not_lowered_by_errors(base):
    class Mutant(base):
        def handle_result(self, idents, parent, raw_msg, success=True):
            if not success and idents[0] in self.targets:
                self.loads[self.targets.index(idents[0])] += 1
            super().handle_result(idents, parent, raw_msg, success)

    return Mutant


MUTATIONS = {
    mutation.__name__: mutation
    for mutation in (
        newcomer_to_the_back,
        blacklist_forgotten,
        one_retry_more,
        any_taken_for_all,
        follow_ignored,
        failure_counts_as_success,
        timeout_called_impossible,
        newest_waiting_first,
        dead_engine_stays,
        loads_not_lowered_by_errors,
    )
}
