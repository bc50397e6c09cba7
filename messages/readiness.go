package messages

// What the node's parts tell the admin actor about being ready (spec/ops.md §2.3).

// AwaitTask puts a task into the set that readiness waits for; one that is there already changes nothing.
type AwaitTask struct {
	Name string
}

// TaskCompleted takes a task out of the set; one that is not there changes nothing. Who sent it as a question is answered.
type TaskCompleted struct {
	Question
	Name string
}

// TaskNoted answers TaskCompleted.
type TaskNoted struct{ Answer }

// FindPendingTasks asks what readiness waits for.
type FindPendingTasks struct {
	Question
}

// PendingTasksFound answers FindPendingTasks: the names, sorted; none means ready.
type PendingTasksFound struct {
	Answer
	Tasks []string
}
