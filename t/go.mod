module t
go 1.26
